// What quantising did and cost: the report.json that `athanor quantize --report` wrote.
import uPlot from 'uplot';
import { api } from './api';
import { bytes, h, percent, time, word } from './dom';
import type { State, View } from './state';
import type { QuantizedDoc, QuantizedForm, TensorDoc, TrialDoc } from './types';

type Cell = string | Node;
interface Column { label: string; number?: boolean }
interface Row { cells: Cell[]; keys: (string | number)[] }

const kForms = ['int8', 'int4', 'coded', 'f16', 'bf16'] as const;
const kBeyond = 1e9;  // sorts what is exact behind every distance
const kMostDrawn = 96;

const text = (value: string, ...more: Cell[]): HTMLElement => h('span', {}, value, ...more);
const decibels = (value: number | null | undefined): string => value === undefined ? '' : value === null ? 'exact' : value.toFixed(1);
const accuracy = (form: QuantizedForm): number | undefined => form.top1 ?? form.agreement;
const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const short = (value: number): string => String(Number(value.toPrecision(3)));

/** Sorts by the column whose head is pressed; `first` is sorted by at the beginning. */
function sortable(kind: string, columns: Column[], rows: Row[], first = -1, down = false): HTMLElement {
  const body = h('tbody'), heads = columns.map((c, i) => h('th', { scope: 'col', class: c.number ? 'n' : '' }, h('button', { onclick: () => { sort(i, by === i ? !downward : Boolean(c.number)); } }, c.label)));
  let by = -1, downward = false;
  const sort = (column: number, isDown: boolean) => {
    [by, downward] = [column, isDown];
    const order = [...rows];
    if (by >= 0) order.sort((a, b) => { const x = a.keys[by]!, y = b.keys[by]!; return (x < y ? -1 : x > y ? 1 : 0) * (downward ? -1 : 1); });
    body.replaceChildren(...order.map(row => h('tr', {}, ...row.cells.map((cell, i) => h('td', { class: columns[i]!.number ? 'n' : '' }, cell)))));
    heads.forEach((head, i) => { head.setAttribute('aria-sort', i === by ? (downward ? 'descending' : 'ascending') : 'none'); });
  };
  sort(first, down);
  return h('table', { class: `steps still ${kind}` }, h('thead', {}, h('tr', {}, ...heads)), body);
}

const section = (id: string, title: string, lead: Cell | null, ...content: (Node | null)[]): HTMLElement =>
  h('section', { class: 'part', id: `quantized-${id}` }, h('h3', {}, title), lead ? h('p', { class: 'lead' }, lead) : null, ...content);

function svg(tag: string, attributes: Record<string, string | number>, ...children: Node[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** The drops of those that nothing beats in both time and drop, null for the others; points are sorted by time, then by drop. */
function front(points: [number, number][]): (number | null)[] {
  let least = Infinity;
  return points.map(([, drop]) => {
    if (drop >= least) return null;
    least = drop;
    return drop;
  });
}

export class QuantizedView implements View {
  readonly name = 'quantized';
  readonly title = 'Quantisation';
  private doc: QuantizedDoc | null = null;
  private chart: uPlot | null = null;
  constructor(private readonly state: State) {}

  command(): string {
    const doc = this.doc;
    return doc ? `athanor quantize ${word(doc.model)} --calib SAMPLES${doc.method ? ` --method ${doc.method}` : ''}${doc.ranges === 'symmetric' ? ' --ranges symmetric' : ''}${doc.corrections ? ` --correct ${doc.corrections}` : ''} -o ${word(doc.out)} --report FOLDER` : `athanor quantize ${this.state.model.command_word} --calib SAMPLES -o OUT --report FOLDER`;
  }

  async open(root: HTMLElement): Promise<void> {
    if (root.childElementCount) return this.draw(root);
    const page = h('div', { class: 'page' }, h('p', { class: 'soft' }, 'reading the report ...'));
    root.append(page);
    try {
      this.doc = await api.quantized();
      page.replaceChildren(...this.content(this.doc));
      new ResizeObserver(() => this.draw(root)).observe(root);
    } catch (error) {
      page.replaceChildren(h('p', { class: 'error' }, error instanceof Error ? error.message : String(error)));
    }
  }

  private content(doc: QuantizedDoc): HTMLElement[] {
    const parts = [this.costs(doc), this.decision(doc), this.rungs(doc), this.nodes(doc), this.times(doc), this.products(doc), this.layers(doc), this.distributions(doc), this.ablation(doc), this.tried(doc)];
    return [h('h2', {}, `${doc.model} → ${doc.out}`),
      h('p', { class: 'lead' }, doc.pass ? '' : h('b', { class: 'worse' }, 'The allowed drop of accuracy is not met. '), `${counted(doc.samples, 'sample')}${doc.task && doc.task !== 'other' ? `, a network for ${doc.task}` : ''}${doc.ranges ? `, ${doc.ranges} ranges` : ''}.`),
      ...parts.filter(part => part !== null)];
  }

  /** Accuracy, size and time before and after. */
  private costs(doc: QuantizedDoc): HTMLElement {
    const name = kForms.find(form => doc[form]), before = doc.float, after = name ? doc[name]! : before;
    const metric = before.top1 !== undefined ? 'top-1' : 'agreement';
    const share = (value: number | undefined) => value === undefined ? '-' : `${(100 * value).toFixed(2)} %`;
    const row = (label: string, form: QuantizedForm): Row => ({ cells: [label, bytes(form.bytes), time(form.median_ms), share(accuracy(form)), share(form.top5)], keys: [label, form.bytes, form.median_ms, accuracy(form) ?? 0, form.top5 ?? 0] });
    const paired = doc.mcnemar;
    return section('cost', 'What it costs',
      `${(before.bytes / after.bytes).toFixed(2)} times smaller, ${(before.median_ms / after.median_ms).toFixed(2)} times as fast.${doc.agreement !== undefined && doc.n ? ` Agreement with float is ${share(doc.agreement)} on ${doc.n} rows.` : ''}${paired ? ` Right in float alone: ${paired.only_float_right}, on integers alone: ${paired.only_int8_right}; by chance with p = ${paired.p.toFixed(3)} (McNemar).` : ''}`,
      sortable('costs', [{ label: '' }, { label: 'size', number: true }, { label: 'time', number: true }, { label: metric, number: true }, { label: 'top-5', number: true }], [row('float', before), row(name ?? 'quantised', after)]));
  }

  private pareto(doc: QuantizedDoc): [number, number][] {
    const real = accuracy(doc.float);
    const timed = (doc.decision?.trials ?? []).filter((trial: TrialDoc) => trial.estimated_ms !== undefined);
    return real === undefined ? [] : timed.map((trial): [number, number] => [trial.estimated_ms!, 100 * (real - trial.value)]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }

  /** What --max-drop tried, and in which order products return to float. */
  private decision(doc: QuantizedDoc): HTMLElement | null {
    const decision = doc.decision;
    if (!decision) return null;
    const drawn = this.pareto(doc).length > 1;
    const rows = decision.ranked.map((one, i): Row => ({
      cells: [one.node, one.error.toExponential(2), short(one.saved), one.float_ms === undefined ? '-' : time(one.float_ms), one.int8_ms === undefined ? '-' : time(one.int8_ms), one.in_float ? h('b', { class: 'worse' }, 'float') : 'integers'],
      keys: [i, one.error, one.saved, one.float_ms ?? 0, one.int8_ms ?? 0, one.in_float ? 0 : 1] }));
    return section('decision', 'Drop against time', `A drop of ${short(100 * decision.max_drop)} % is allowed: ${counted(decision.in_float, 'product')} computed in float. That took ${decision.evaluations} evaluations of the data.${drawn ? ' Points are what was tried, over the time that the cost model says; the line joins those that nothing beats in both.' : ''}`,
      drawn ? h('div', { class: 'chart pareto' }) : null,
      rows.length ? sortable('ranked', [{ label: 'in the order of return' }, { label: 'error', number: true }, { label: 'saves', number: true }, { label: 'float', number: true }, { label: 'int8', number: true }, { label: 'runs on' }], rows) : null);
  }

  private rungs(doc: QuantizedDoc): HTMLElement | null {
    return doc.rungs?.length ? section('rungs', 'How far the bits went down', 'The smallest that is within the allowed drop was written.',
      sortable('rungs', [{ label: 'tried' }, { label: 'size', number: true }, { label: 'accuracy', number: true }, { label: 'within the drop' }],
        doc.rungs.map((rung): Row => ({ cells: [rung.name, bytes(rung.bytes), percent(rung.value), rung.met ? 'yes' : 'no'], keys: [rung.name, rung.bytes, rung.value, rung.met ? 0 : 1] })))) : null;
  }

  /** Which nodes are in float and why, and what is dead. */
  private nodes(doc: QuantizedDoc): HTMLElement | null {
    if (doc.float_products === undefined) return null;
    const dead = doc.dead_channels ?? [], zero = doc.always_zero ?? [], spared = doc.spared;
    const list = (kind: string, columns: string[], rows: string[][]) => rows.length ? sortable(kind, columns.map(label => ({ label })), rows.map(cells => ({ cells, keys: cells }))) : null;
    return section('nodes', 'What computes in float, and why',
      `${doc.quantized_nodes} of ${doc.nodes} nodes compute on integers, ${counted(doc.float_products.length, 'product')} in float.${spared ? ` ${spared.products} of these have ${percent(spared.work)} of the operations: outputs are within ${decibels(spared.sqnr_db)} dB with them in float, ${decibels(spared.sqnr_db_before)} dB without.` : ''} Dead channels: in ${counted(dead.length, 'product')}. Always 0: ${counted(zero.length, 'tensor')}.`,
      list('in-float', ['node', 'operator', 'why'], doc.float_products.map(one => [one.node, one.op, one.reason])),
      list('dead', ['node', 'output channels whose weights are all 0'], dead.map(one => [one.node, one.channels.join(', ')])),
      list('zero', ['tensors that were 0 on every sample'], zero.map(name => [name])));
  }

  /** What each product takes in float and on integers. */
  private times(doc: QuantizedDoc): HTMLElement | null {
    const times = doc.times;
    if (!times?.products.length) return null;
    const slow = times.products.filter(one => one.on_integers && !one.pays && !one.returned).length, back = times.products.filter(one => one.returned).length;
    const runs = (one: typeof times.products[number]) => one.returned ? h('b', { class: 'worse' }, 'float: its integers do not pay') : !one.on_integers ? 'float' : one.pays ? 'integers' : h('b', { class: 'worse' }, 'integers, which may not pay');
    return section('times', 'What integers save',
      `${times.measured ? 'Least measured times' : 'Estimated times'} of every product with what follows it up to the next; on integers with what its integers make necessary.${times.change ? ` ${counted(back, 'product')} returned to float, and a run takes ${time(times.change.after_ms)} instead of ${time(times.change.before_ms)} (all in float ${time(times.change.float_ms)}).` : ''}${slow ? ` Integers may not pay for ${slow} of them: athanor quantize --measured tells.` : ''}`,
      sortable('times', [{ label: 'product' }, { label: 'float', number: true }, { label: 'int8', number: true }, { label: 'of these converting', number: true }, { label: 'runs on' }],
        times.products.map((one): Row => ({ cells: [one.node, time(one.float_ms), time(one.int8_ms), time(one.conversions_ms), runs(one)],
          keys: [one.node, one.float_ms, one.int8_ms, one.conversions_ms, one.returned ? 0 : !one.on_integers ? 1 : one.pays ? 3 : 2] }))));
  }

  private products(doc: QuantizedDoc): HTMLElement | null {
    const fitted = (doc.products ?? []).filter(one => typeof one !== 'string' && one.levels !== undefined);
    if (!fitted.length) return null;
    return section('products', 'What each product got', null, sortable('fitted', [{ label: 'product' }, { label: 'weights', number: true }, { label: 'levels', number: true }, { label: 'bits each', number: true }, { label: 'size', number: true }],
      fitted.map((one): Row => {
        if (typeof one === 'string') return { cells: [one], keys: [one] };
        const each = 8 * (one.bytes ?? 0) / (one.weights || 1);
        return { cells: [one.node, String(one.weights), String(one.levels), each.toFixed(2), bytes(one.bytes ?? 0)], keys: [one.node, one.weights ?? 0, one.levels ?? 0, each, one.bytes ?? 0] };
      })));
  }

  /** The error of every tensor, the worst first. */
  private layers(doc: QuantizedDoc): HTMLElement | null {
    const known = (doc.tensors ?? []).map((tensor, at) => ({ tensor, at })).filter(({ tensor }) => tensor.sqnr_db !== undefined);
    if (!known.length) return null;
    const most = Math.max(...known.map(({ tensor }) => Math.min(tensor.sqnr_db ?? 0, 80)), 1);
    return section('layers', 'Error of each tensor, the farthest from float first', 'SQNR is the energy of a tensor over that of its error, which has come together up to there.',
      sortable('errors', [{ label: '#', number: true }, { label: 'tensor' }, { label: 'SQNR dB', number: true }, { label: 'cosine', number: true }, { label: 'range by' }],
        known.map(({ tensor, at }): Row => {
          const bar = h('i');
          bar.style.width = `${100 * Math.max(0, Math.min(tensor.sqnr_db ?? most, most)) / most}%`;
          return { cells: [String(at + 1), tensor.tensor, text(decibels(tensor.sqnr_db), h('div', { class: 'meter' }, bar)), tensor.cosine == null ? '' : tensor.cosine.toFixed(5), tensor.method],
            keys: [at, tensor.tensor, tensor.sqnr_db ?? kBeyond, tensor.cosine ?? 1, tensor.method] };
        }), 2));
  }

  private distributions(doc: QuantizedDoc): HTMLElement | null {
    const drawn = (doc.tensors ?? []).filter(tensor => tensor.histogram.length > 0);
    if (!drawn.length) return null;
    return section('tensors', 'Distributions and ranges', `How often values occur (logarithmic), from the least to the largest; lines mark the range that 8 bits cover.${drawn.length > kMostDrawn ? ` The first ${kMostDrawn} of ${drawn.length} tensors.` : ''}`,
      h('div', { class: 'distributions' }, ...drawn.slice(0, kMostDrawn).map(tensor => this.distribution(tensor))));
  }

  private distribution(tensor: TensorDoc): HTMLElement {
    const width = 256, tall = 60, bar = width / tensor.histogram.length, most = Math.max(...tensor.histogram.map(Math.log1p), 1e-9), span = tensor.high - tensor.low || 1;
    const bars = tensor.histogram.map((n, i) => svg('rect', { x: i * bar, y: tall * (1 - Math.log1p(n) / most), width: bar * 0.9, height: tall * Math.log1p(n) / most }));
    const ends = tensor.range.map(end => { const x = Math.min(Math.max((end - tensor.low) / span, 0), 1) * (width - 2) + 1; return svg('line', { x1: x, x2: x, y1: -2, y2: tall + 2 }); });
    return h('figure', {}, h('figcaption', { title: tensor.tensor }, tensor.tensor), svg('svg', { viewBox: `0 -3 ${width} ${tall + 6}`, role: 'img', 'aria-label': `distribution of ${tensor.tensor}` }, ...bars, ...ends),
      h('div', { class: 'soft' }, `${short(tensor.range[0])} to ${short(tensor.range[1])}, ${tensor.method}`), h('div', { class: 'soft' }, `scale ${short(tensor.scale)}, zero point ${tensor.zero_point}`));
  }

  private ablation(doc: QuantizedDoc): HTMLElement | null {
    const rows = doc.ablation ?? [];
    if (!rows.length) return null;
    return section('ablation', 'What each correction adds', 'Each row has the corrections of the rows above and one more.', sortable('corrections', [{ label: 'corrections' }, { label: 'output SQNR dB', number: true }, { label: 'accuracy', number: true }],
      rows.map((row, i): Row => ({ cells: [row.name, decibels(row.sqnr_db), row.value === undefined ? '-' : `${(100 * row.value).toFixed(2)} %`], keys: [i, row.sqnr_db ?? kBeyond, row.value ?? 0] }))));
  }

  private tried(doc: QuantizedDoc): HTMLElement | null {
    const rows = doc.tried ?? [];
    if (!rows.length) return null;
    return section('tried', 'Ways that were tried', null, sortable('ways', [{ label: 'method' }, { label: 'corrections' }, { label: 'output SQNR dB', number: true }],
      rows.map((row): Row => ({ cells: [row.method, row.correct, decibels(row.sqnr_db)], keys: [row.method, row.correct, row.sqnr_db ?? kBeyond] })), 2, true));
  }

  /** The Pareto curve. */
  private draw(root: HTMLElement): void {
    const box = root.querySelector<HTMLElement>('.pareto');
    if (!box || !this.doc || box.clientWidth === 0) return;
    const points = this.pareto(this.doc), allowed = 100 * this.doc.decision!.max_drop;
    const style = getComputedStyle(document.documentElement), colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: '11px system-ui, sans-serif' };
    const drop = (value: number | null) => value === null ? '' : `${short(value)} %`;
    this.chart?.destroy();
    this.chart = new uPlot({
      width: box.clientWidth, height: 220, scales: { x: { time: false } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(ms => `${short(1000 * ms)} µs`) }, { ...axis, size: 72, values: (_, ticks) => ticks.map(drop) }],
      series: [{ label: 'time', value: (_, v) => v === null ? '' : time(v) },
        { label: 'drop', stroke: colour('--edge'), paths: () => null, points: { show: true, size: 9, fill: colour('--edge') }, value: (_, v) => drop(v) },
        { label: 'not beaten', stroke: colour('--accent'), width: 2, spanGaps: true, points: { show: true, size: 9, fill: colour('--accent') }, value: (_, v) => drop(v) },
        { label: 'allowed', stroke: colour('--bad'), width: 1, dash: [4, 4], points: { show: false }, value: (_, v) => drop(v) }],
    }, [points.map(p => p[0]), points.map(p => p[1]), front(points), points.map(() => allowed)], box);
    (window as unknown as Record<string, unknown>).athanorPareto = this.chart;  // for tests
  }
}
