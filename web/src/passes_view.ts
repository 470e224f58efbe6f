// What optimisation did: figures and operators before and after, and the passes one by one.
import { api } from './api';
import { bytes, count, h } from './dom';
import type { State, View } from './state';
import type { PassesDoc } from './types';

function change(before: number, after: number, text: (v: number) => string): HTMLElement {
  const delta = before > 0 ? (after - before) / before : 0;
  return h('span', { class: delta < -0.0005 ? 'better' : delta > 0.0005 ? 'worse' : 'soft' }, text(after), h('small', {}, delta === 0 ? '' : ` ${delta > 0 ? '+' : '−'}${Math.abs(100 * delta).toFixed(0)} %`));
}

export class PassesView implements View {
  readonly name = 'passes';
  readonly title = 'Optimisation';
  constructor(private readonly state: State) {}
  command(): string { return `athanor optimize ${this.state.model.command_word}`; }

  async open(root: HTMLElement): Promise<void> {
    if (root.childElementCount) return;
    const page = h('div', { class: 'page' }, h('p', { class: 'soft' }, 'optimising ...'));
    root.append(page);
    try {
      page.replaceChildren(...this.content(await api.passes()));
    } catch (error) {
      page.replaceChildren(h('p', { class: 'error' }, error instanceof Error ? error.message : String(error)));
    }
  }

  private content(doc: PassesDoc): HTMLElement[] {
    const { before, after } = doc;
    const figure = (name: string, from: number, to: number, text: (v: number) => string) => h('div', { class: 'card' }, h('span', { class: 'soft' }, name), h('div', {}, h('s', {}, text(from)), ' → ', change(from, to, text)));
    const ops = [...new Set([...Object.keys(before.ops), ...Object.keys(after.ops)])].map(op => ({ op, a: before.ops[op] ?? 0, b: after.ops[op] ?? 0 })).sort((x, y) => y.a + y.b - x.a - x.b);
    const most = Math.max(...ops.map(o => Math.max(o.a, o.b)));
    const bar = (n: number, kind: string) => { const b = h('i', { class: kind }); b.style.width = `${100 * n / most}%`; return b; };
    const gone = doc.fates.filter(f => f.fate === 'gone').length, changed = doc.fates.filter(f => f.fate === 'changed').length;
    return [
      h('h2', {}, `${before.nodes} nodes → ${after.nodes} → ${doc.steps} steps`),
      h('p', { class: 'lead' }, doc.runs.length === 0 ? 'The graph was plain already: no pass changed it. ' : `${gone} nodes of the file are gone, ${changed} were rewritten; ${doc.runs.length === 1 ? 'one pass' : `${doc.runs.length} passes`} changed something in ${doc.rounds} rounds. `,
        'Then the planner put what can run together into steps. To see where, colour the graph by what passes did.'),
      h('div', { class: 'cards' }, figure('nodes', before.nodes, after.nodes, String), figure('FLOPs', before.flops, after.flops, count), figure('weights', before.weight_bytes, after.weight_bytes, bytes),
        figure('activations alive at once', before.peak_activation_bytes, after.peak_activation_bytes, bytes)),
      h('div', { class: 'columns' },
        h('section', {}, h('h3', {}, 'Operators'), h('table', { class: 'ops' }, h('thead', {}, h('tr', {}, h('th', {}, 'operator'), h('th', { class: 'n' }, 'before'), h('th', { class: 'n' }, 'after'), h('th'))),
          h('tbody', {}, ...ops.map(o => h('tr', { class: o.b === 0 ? 'gone' : o.a === 0 ? 'new' : '' }, h('td', {}, o.op), h('td', { class: 'n' }, o.a), h('td', { class: 'n' }, change(o.a, o.b, String)), h('td', { class: 'pair' }, bar(o.a, 'a'), bar(o.b, 'b'))))))),
        h('section', {}, h('h3', {}, 'Passes'), h('ol', { class: 'passes' }, ...doc.runs.map(run => h('li', {}, h('div', {}, h('b', {}, run.pass), h('span', { class: 'soft' }, `${run.nodes_left} nodes left`)),
          h('p', {}, run.summary), h('ul', {}, ...Object.entries(run.fired).map(([rule, n]) => h('li', {}, h('code', {}, rule), ` × ${n}`)))))))),
    ];
  }
}
