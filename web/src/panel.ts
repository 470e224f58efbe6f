// The panel beside the graph: everything known about the selected node.
import { bytes, count, h, percent, time } from './dom';
import { heat } from './colours';
import type { Drawn, Picture } from './graph';
import type { State } from './state';
import type { GraphDoc, NodeDoc, StepDoc, ValueDoc } from './types';

const row = (name: string, ...value: (Node | string)[]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, ...value));

function valueRow(port: string, value: ValueDoc | undefined, go: (value: number) => void): HTMLElement {
  if (!value) return row(port, h('span', { class: 'soft' }, 'not given'));
  const name = value.name || `#${value.id}`;
  if (value.bytes !== undefined) {
    return row(port, h('span', { class: 'value' }, name), h('code', {}, value.type), h('span', { class: 'soft' }, value.text ? `= ${value.text}` : bytes(value.bytes)));
  }
  return row(port, h('button', { class: 'link value', title: 'show what gives it', onclick: () => go(value.id) }, name), h('code', {}, value.type));
}

function portName(names: string[] | undefined, i: number): string {
  if (!names?.length) return String(i);
  return names[i] ?? `${names[names.length - 1]} ${i - names.length + 1}`;
}

function nodeSection(node: NodeDoc, doc: GraphDoc, values: Map<number, ValueDoc>, open: boolean, go: (value: number) => void): HTMLElement {
  const about = doc.ops[node.op];
  const pick = (id: number | null) => id === null ? undefined : values.get(id);
  const table = h('table', { class: 'facts' },
    ...node.in.map((v, i) => valueRow(portName(about?.inputs, i), pick(v), go)),
    ...node.out.map((v, i) => valueRow(`→ ${portName(about?.outputs, i)}`, pick(v), go)));
  const attributes = node.attributes.length
    ? h('table', { class: 'facts' }, ...node.attributes.map(([name, text]) => row(name, h('code', {}, text))))
    : h('p', { class: 'soft' }, 'every attribute has its default');
  return h('details', { open }, h('summary', {}, h('b', {}, node.op), ' ', h('span', { class: 'soft' }, node.name)),
    about ? h('p', { class: 'summary' }, about.summary) : null, table, h('h4', {}, 'Attributes'), attributes,
    node.flops ? h('p', { class: 'soft' }, `${count(node.flops)} FLOPs`) : null,
    ...(node.bodies ?? []).map(b => h('p', { class: 'soft' }, `body ${b.name}: ${b.nodes} nodes`)));
}

function candidates(step: StepDoc): HTMLElement {
  const best = Math.min(...step.candidates.filter(c => c.fits).map(c => c.estimated_us ?? Infinity));
  const list = step.candidates.map((c, i) => {
    const taken = i === 0 && c.fits;
    const note = c.fits ? `estimated ${time((c.estimated_us ?? 0) / 1000)}${taken || !isFinite(best) || best <= 0 ? '' : ` (${((c.estimated_us ?? 0) / best).toFixed(1)}x)`}` : c.reason ?? '';
    return h('li', { class: taken ? 'taken' : c.fits ? 'fits' : 'refused' },
      h('span', { class: 'mark', 'aria-hidden': 'true' }, taken ? '●' : c.fits ? '○' : '✕'),
      h('div', {}, h('code', {}, c.kernel), h('span', { class: 'soft' }, taken ? 'chosen · ' : c.fits ? 'fits · ' : 'refused · ', note)));
  });
  return list.length ? h('ol', { class: 'candidates' }, ...list) : h('p', { class: 'soft' }, 'no kernel exists for this operator: the reference runs');
}

function stepSection(step: StepDoc, index: number, state: State): HTMLElement[] {
  const ms = state.profile?.steps_ms[index], total = state.profile?.total_ms ?? 0, most = Math.max(...(state.profile?.steps_ms ?? [1]));
  const floor = state.profile?.floors[index];
  const measured = ms === undefined ? null : h('div', { class: 'measured' },
    h('b', {}, time(ms)), h('span', { class: 'soft' }, `${percent(total > 0 ? ms / total : 0)} of ${time(total)}`),
    h('div', { class: 'meter' }, (() => { const bar = h('i'); bar.style.width = `${100 * ms / most}%`; bar.style.background = heat(Math.sqrt(ms / most)); return bar; })()),
    step.flops > 0 ? h('span', { class: 'soft' }, `${(step.flops / ms / 1e6).toFixed(1)} GFLOP/s · ${(step.bytes / ms / 1e6).toFixed(1)} GB/s`) : null,
    floor?.percent_of_floor != null ? h('span', { class: 'soft' }, `${floor.percent_of_floor.toFixed(0)} % of the floor · bound by ${floor.bound === 'compute' ? 'arithmetic' : floor.bound === 'memory' ? `memory (${floor.memory_level})` : 'being started'}`) : null);
  return [
    h('h3', {}, `Step ${index + 1}: `, h('code', {}, step.kernel)),
    ...(measured ? [measured] : []),
    h('table', { class: 'facts' }, row('gives', h('code', {}, step.output)), row('work', `${count(step.flops)} FLOPs`), row('moves', bytes(Math.round(step.bytes))),
      row('memory', `${bytes(step.alive_bytes)} in use`), ...(step.clones > 0 ? [row('cloned', `its first nodes run in ${step.clones} steps`)] : [])),
    h('h4', {}, 'Kernels'), candidates(step),
  ];
}

export function panel(node: Drawn, picture: Picture, state: State, go: (value: number) => void): HTMLElement[] {
  const head = h('h2', {}, node.title);
  if (node.kind !== 'node') {
    const value = node.kind === 'input' ? picture.values.get(node.values[0]) : picture.values.get(picture.doc.outputs.find(o => o.name === node.name)?.value ?? -1);
    return [head, h('p', { class: 'soft' }, node.kind === 'input' ? 'input of the model' : 'output of the model'), h('table', { class: 'facts' }, row('type', h('code', {}, value?.type ?? '?')))];
  }
  const step = node.step >= 0 ? state.plan?.steps[node.step] : undefined;
  return [
    head, node.name ? h('p', { class: 'soft name' }, node.name) : h('p'),
    ...(step ? stepSection(step, node.step, state) : []),
    h('h3', {}, node.nodes.length > 1 ? `Nodes (${node.nodes.length})` : 'Node'),
    ...node.nodes.map((n, i) => nodeSection(n, picture.doc, picture.values, i === 0, go)),
  ];
}
