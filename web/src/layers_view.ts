// The steps in a table that sorts, under a chart of their time and of the memory in use.
import uPlot from 'uplot';
import { api } from './api';
import { heat } from './colours';
import { bytes, count, h, percent, time } from './dom';
import type { State, View } from './state';
import type { FloorDoc, StepDoc } from './types';

interface Row { index: number; step: StepDoc; ms: number; share: number; rate: number; band: number; floor: FloorDoc | undefined }
type Key = 'index' | 'op' | 'kernel' | 'ms' | 'floor' | 'bound' | 'flops' | 'rate' | 'bytes' | 'band' | 'alive';

const kColumns: [Key, string, string][] = [
  ['index', '#', 'order of execution'], ['op', 'Step', 'the operators it covers'], ['kernel', 'Kernel', 'what runs it'], ['ms', 'Time', 'the fastest of the runs'],
  ['floor', 'Floor', 'what its arithmetic or its bytes take at the probed peaks, in percent of the time'], ['bound', 'Bound', 'what keeps it from being faster'],
  ['flops', 'FLOPs', 'operations, a multiply-add is 2'], ['rate', 'GFLOP/s', 'reached'], ['bytes', 'Moves', 'bytes read and written'], ['band', 'GB/s', 'reached'],
  ['alive', 'Memory', 'in use during the step'],
];

export class LayersView implements View {
  readonly name = 'layers';
  readonly title = 'Layers';
  private sort: { key: Key; down: boolean } = { key: 'ms', down: true };
  private filter = '';
  private root: HTMLElement | null = null;
  private chart: uPlot | null = null;
  private byTime = true;

  constructor(private readonly state: State, private readonly goTo: (step: number) => void) {}

  command(): string { return `athanor profile ${this.state.model.command_word} --top 1000`; }

  async open(root: HTMLElement): Promise<void> {
    this.root = root;
    if (!root.childElementCount) this.build(root);
    try {
      this.state.plan ??= await api.plan();
      this.fill();
      this.state.profile ??= await api.profile();
    } catch (error) {
      root.querySelector('.status')!.textContent = error instanceof Error ? error.message : String(error);
      return;
    }
    this.fill();
  }
  refresh(): void { if (this.root?.childElementCount) { this.fill(); } }

  private build(root: HTMLElement): void {
    const again = h('button', { onclick: async () => {
      again.disabled = true;
      again.textContent = 'measuring ...';
      try { this.state.profile = await api.measureAgain(); } finally { again.disabled = false; again.textContent = 'Measure again, 20 runs'; }
      this.fill();
    } }, 'Measure again, 20 runs');
    const chartOf = h('div', { class: 'segments', role: 'radiogroup', 'aria-label': 'chart' },
      ...[true, false].map(t => h('button', { role: 'radio', 'aria-checked': String(t === this.byTime), onclick: (e: Event) => {
        this.byTime = t;
        for (const b of chartOf.children) b.setAttribute('aria-checked', String(b === e.currentTarget));
        this.draw();
      } }, t ? 'Time of each step' : 'Memory in use')));
    root.append(h('div', { class: 'tools' }, chartOf, h('span', { class: 'soft status' }, 'measuring ...'), h('span', { class: 'grow' }), again,
      h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'filter steps', spellcheck: false, oninput: (e: Event) => { this.filter = (e.target as HTMLInputElement).value.toLowerCase(); this.fill(); } })),
    h('div', { class: 'page' }, h('div', { class: 'chart' }), h('div', { class: 'shares' }), h('ol', { class: 'advice' }), h('table', { class: 'steps' },
      h('thead', {}, h('tr', {}, ...kColumns.map(([key, label, title]) => h('th', { title, scope: 'col', 'data-key': key, class: ['op', 'kernel', 'bound'].includes(key) ? '' : 'n' },
        h('button', { onclick: () => { this.sort = { key, down: this.sort.key === key ? !this.sort.down : !['index', 'op', 'kernel', 'bound'].includes(key) }; this.fill(); } }, label))))),
      h('tbody'))));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  private rows(): Row[] {
    const times = this.state.profile?.steps_ms, total = this.state.profile?.total_ms ?? 0;
    return (this.state.plan?.steps ?? []).map((step, index) => {
      const ms = times?.[index] ?? 0;
      return { index, step, ms, share: total > 0 ? ms / total : 0, rate: ms > 0 ? step.flops / ms / 1e6 : 0, band: ms > 0 ? step.bytes / ms / 1e6 : 0, floor: this.state.profile?.floors[index] };
    });
  }

  private fill(): void {
    const { key, down } = this.sort, rows = this.rows(), root = this.root!;
    const value = (r: Row): number | string => ({ index: r.index, op: r.step.op, kernel: r.step.kernel, ms: r.ms, floor: r.floor?.percent_of_floor ?? -1, bound: r.floor?.bound ?? '', flops: r.step.flops, rate: r.rate, bytes: r.step.bytes, band: r.band, alive: r.step.alive_bytes })[key];
    const shown = rows.filter(r => !this.filter || [r.step.op, r.step.kernel, r.step.node].some(t => t.toLowerCase().includes(this.filter)));
    shown.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : a.index - b.index) * (down ? -1 : 1); });
    const most = Math.max(...rows.map(r => r.ms), 1e-9);
    root.querySelector('.steps tbody')!.replaceChildren(...shown.map(r => this.row(r, most)));
    for (const th of root.querySelectorAll<HTMLElement>('.steps th')) th.setAttribute('aria-sort', th.dataset.key === key ? (down ? 'descending' : 'ascending') : 'none');
    const profile = this.state.profile;
    root.querySelector('.status')!.textContent = profile ? `${time(profile.total_ms)} in ${rows.length} steps, the fastest of ${profile.runs} runs, ${percent(profile.floor_ms / profile.total_ms)} of the floor · ${bytes(this.state.plan!.arena_bytes)} of memory for a run, most in use at step ${profile.peak_position + 1}` : 'measuring ...';
    this.shares(rows);
    this.advice();
    this.draw();
  }

  private row(r: Row, most: number): HTMLElement {
    const bar = h('i');
    bar.style.width = `${100 * r.ms / most}%`;
    bar.style.background = heat(Math.sqrt(r.ms / most));
    const show = () => this.goTo(r.index);
    return h('tr', { tabIndex: 0, title: 'show in the graph', onclick: show, onkeydown: (e: Event) => { if ((e as KeyboardEvent).key === 'Enter') show(); } },
      h('td', { class: 'n soft' }, r.index + 1), h('td', {}, h('b', {}, r.step.op), h('span', { class: 'soft name' }, r.step.node)), h('td', {}, h('code', {}, r.step.kernel)),
      h('td', { class: 'n took' }, h('span', {}, this.state.profile ? time(r.ms) : ''), h('span', { class: 'soft' }, this.state.profile ? percent(r.share) : ''), h('div', { class: 'meter' }, bar)),
      h('td', { class: 'n' }, r.floor?.percent_of_floor != null ? `${r.floor.percent_of_floor.toFixed(0)} %` : ''), h('td', {}, r.floor?.bound ?? ''),
      h('td', { class: 'n' }, r.step.flops ? count(r.step.flops) : ''), h('td', { class: 'n' }, r.rate ? r.rate.toFixed(1) : ''), h('td', { class: 'n' }, bytes(Math.round(r.step.bytes))),
      h('td', { class: 'n' }, r.band ? r.band.toFixed(1) : ''), h('td', { class: 'n' }, bytes(r.step.alive_bytes)));
  }

  /** One bar that says which operators take the time. */
  private shares(rows: Row[]): void {
    const sums = new Map<string, number>(), box = this.root!.querySelector('.shares')!;
    for (const r of rows) sums.set(r.step.op, (sums.get(r.step.op) ?? 0) + r.share);
    const list = [...sums].sort((a, b) => b[1] - a[1]), shown = list.slice(0, 8), rest = list.slice(8).reduce((s, [, v]) => s + v, 0);
    if (rest > 0) shown.push([`${list.length - 8} others`, rest]);
    const top = shown[0]?.[1] || 1;
    box.replaceChildren(...(this.state.profile ? shown.map(([op, share]) => {
      const part = h('div', { title: `${op}: ${percent(share)}` }, h('b', {}, op), h('span', {}, percent(share)));
      part.style.flexGrow = String(Math.max(share, 0.001));
      part.style.setProperty('--fill', heat(Math.sqrt(share / top)));
      return part;
    }) : []));
  }

  /** What would gain most, from what was measured. */
  private advice(): void {
    this.root!.querySelector('.advice')!.replaceChildren(...(this.state.profile?.advice ?? []).map(one =>
      h('li', {}, h('b', {}, `${one.kind}: `), one.text, h('span', { class: 'soft' }, ` gain ${time(one.gain_ms)} (${one.gain_percent.toFixed(1)} %) `), h('code', {}, one.command))));
  }

  private draw(): void {
    const box = this.root?.querySelector<HTMLElement>('.chart');
    if (!box || !this.state.plan || box.clientWidth === 0) return;
    const rows = this.rows(), style = getComputedStyle(document.documentElement), soft = style.getPropertyValue('--soft').trim(), line = style.getPropertyValue('--line').trim(), accent = style.getPropertyValue('--accent').trim();
    const values = this.byTime ? rows.map(r => r.ms) : rows.map(r => r.step.alive_bytes);
    const text = (v: number | null) => v === null ? '' : this.byTime ? time(v) : bytes(v);
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '11px system-ui, sans-serif' };
    this.chart?.destroy();
    this.chart = new uPlot({
      width: box.clientWidth, height: 170, cursor: { y: false, points: { show: false } }, legend: { live: true },
      scales: { x: { time: false, range: [0.4, Math.max(rows.length, 1) + 0.6] }, y: { range: (_, __, max) => [0, max * 1.05 || 1] } },
      axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] }, { ...axis, size: 72, values: (_, ticks) => ticks.map(text) }],
      series: [{ label: 'step', value: (_, v) => v === null ? '' : `${v} ${rows[v - 1]?.step.op ?? ''}` },
        { label: this.byTime ? 'time' : 'memory', stroke: accent, width: 1, fill: `${accent}99`, points: { show: false }, value: (_, v) => text(v),
          paths: this.byTime ? uPlot.paths.bars!({ size: [0.8, 40] }) : uPlot.paths.stepped!({ align: 1 }) }],
    }, [rows.map(r => r.index + 1), values], box);
    this.chart.over.onclick = () => { const i = this.chart?.cursor.idx; if (i !== null && i !== undefined) this.goTo(i); };
  }
}
