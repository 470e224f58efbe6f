// The workbench: tabs over one model. The address forgets the token at once; the cookie has it.
import { api, ApiError } from './api';
import { $, bytes, copy, count, h, time } from './dom';
import { GraphView } from './graph_view';
import { LayersView } from './layers_view';
import { PassesView } from './passes_view';
import { QuantizedView } from './quantized_view';
import { commandChanged, type State, type View } from './state';
import { TryView } from './try_view';

function facts(state: State): void {
  const { model, profile } = state;
  const chip = (value: string, what: string) => h('span', { class: 'chip' }, h('b', {}, value), ' ', what);
  $('facts').replaceChildren(chip(String(model.nodes), 'nodes'), chip(count(model.params), 'parameters'), chip(bytes(model.weight_bytes), 'weights'), chip(count(model.flops), 'FLOPs'),
    ...(profile ? [h('span', { class: 'chip hot' }, h('b', {}, time(profile.total_ms)), ' a run')] : []));
}

function fail(error: unknown): void {
  const e = error as ApiError;
  $('views').replaceChildren(h('div', { class: 'page' }, h('p', { class: 'error' }, e.message), e.fix ? h('p', {}, 'fix: ', h('code', {}, e.fix)) : '', e.code ? h('p', { class: 'soft' }, `athanor explain ${e.code}`) : ''));
}

async function start(): Promise<void> {
  history.replaceState(null, '', location.pathname + location.hash);
  let state: State;
  try {
    state = { model: await api.model(), plan: null, profile: null };
  } catch (error) {
    return fail(error);
  }
  const file = state.model.model.split('/').pop()!;
  document.title = `${file} · Athanor`;
  $('name').textContent = file;
  $('name').title = state.model.model;
  facts(state);

  const graph = new GraphView(state);
  const layers = new LayersView(state, step => { location.hash = 'graph'; void graph.goToStep(step); });
  const views: View[] = [graph, layers, new PassesView(state), ...(state.model.quantized ? [new QuantizedView(state)] : []), new TryView(state)];
  const roots = new Map(views.map(v => [v.name, h('div', { class: `view ${v.name}`, role: 'tabpanel', id: `view-${v.name}`, 'aria-labelledby': `tab-${v.name}`, hidden: true })]));
  $('views').replaceChildren(...roots.values());
  let current: View = graph;
  const command = () => { $('command').textContent = current.command(); };
  commandChanged.addEventListener('change', command);
  const open = () => {
    current = views.find(v => v.name === location.hash.slice(1)) ?? graph;
    for (const v of views) {
      roots.get(v.name)!.hidden = v !== current;
      const tab = $(`tab-${v.name}`);
      tab.setAttribute('aria-selected', String(v === current));
      tab.tabIndex = v === current ? 0 : -1;
    }
    command();
    // What has come by then may say more of the command.
    void Promise.resolve(current.open(roots.get(current.name)!)).then(command);
  };
  $('tabs').replaceChildren(...views.map(v => h('button', { role: 'tab', id: `tab-${v.name}`, 'aria-controls': `view-${v.name}`, onclick: () => { location.hash = v.name; } }, v.title)));
  $('tabs').addEventListener('keydown', e => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!step) return;
    const next = views[(views.indexOf(current) + step + views.length) % views.length];
    location.hash = next.name;
    $(`tab-${next.name}`).focus();
  });
  addEventListener('hashchange', open);
  $('copy').addEventListener('click', async () => {
    const done = await copy($('command').textContent ?? '');
    $('copy').textContent = done ? 'copied' : 'select and copy';
    setTimeout(() => { $('copy').textContent = 'copy'; }, 1200);
  });
  open();

  try {
    state.plan = await api.plan();
    graph.refresh();
    state.profile = await api.profile();
    facts(state);
    graph.refresh();
    layers.refresh();
    performance.mark('measured');
  } catch {
    // The views that need the plan say why there is none.
  }
}

void start();
