// Try it: a picture, a row, a file or random values go in, the answer comes out as `athanor run` gives it.
import { api, ApiError } from './api';
import { h, percent, time, word } from './dom';
import { tell, type State, type View } from './state';
import type { AnswerDoc, OutputDoc, Port } from './types';

export class TryView implements View {
  readonly name = 'try';
  readonly title = 'Try it';
  private source = 'random';
  private answer!: HTMLElement;
  private image: { mean: HTMLInputElement; std: HTMLInputElement; bgr: HTMLInputElement; boxes: HTMLInputElement } | null = null;
  private picture: HTMLImageElement | null = null;
  private file: File | null = null;

  constructor(private readonly state: State) {}

  command(): string {
    const flags = this.source === 'random' || !this.image ? '' : [this.image.mean.value && `--mean ${word(this.image.mean.value)}`, this.image.std.value && `--std ${word(this.image.std.value)}`,
      this.image.bgr.checked && '--bgr', this.image.boxes.checked && '--boxes'].filter(Boolean).map(f => ` ${f}`).join('');
    return `athanor run ${this.state.model.command_word} ${this.source}${flags}`;
  }

  open(root: HTMLElement): void {
    if (root.childElementCount) return;
    const model = this.state.model, left = h('section', { class: 'give' }), pictures = model.picture_inputs;
    this.answer = h('section', { class: 'answer', 'aria-live': 'polite' }, h('p', { class: 'soft' }, 'The answer comes here.'));
    left.append(this.drop(pictures[0]));
    if (pictures.length) left.append(this.settings());
    left.append(this.row(), h('div', { class: 'line' }, h('button', { id: 'random', onclick: () => this.random() }, 'Run on random values'), h('span', { class: 'soft' }, 'seeded: the same each time')));
    root.append(h('div', { class: 'page trial' }, left, this.answer));
  }

  private drop(input: string | undefined): HTMLElement {
    const chooser = h('input', { type: 'file', id: 'file', hidden: true, onchange: () => { if (chooser.files?.[0]) void this.send(chooser.files[0]); } });
    this.picture = h('img', { alt: '', hidden: true });
    const box = h('div', { class: 'drop', id: 'drop', tabIndex: 0, role: 'button', 'aria-label': 'choose a file', onclick: () => chooser.click(),
      onkeydown: (e: Event) => { if (['Enter', ' '].includes((e as KeyboardEvent).key)) { e.preventDefault(); chooser.click(); } },
      ondragover: (e: Event) => { e.preventDefault(); box.classList.add('over'); }, ondragleave: () => box.classList.remove('over'),
      ondrop: (e: Event) => { e.preventDefault(); box.classList.remove('over'); const file = (e as DragEvent).dataTransfer?.files[0]; if (file) void this.send(file); } },
    this.picture, h('b', {}, input ? 'Drop a picture here' : 'Drop a file here'), h('span', { class: 'soft' }, input ? 'or choose one: .jpg .png .webp .bmp, or an array as .npy' : 'or choose one: .csv .npy .npz .wav .txt'), chooser);
    return box;
  }

  private settings(): HTMLElement {
    const { image } = this.state.model, change = () => { tell(); if (this.file) void this.send(this.file); };
    const std = image.std || (image.scale ? String(1 / Number(image.scale)) : '');
    const text = (value: string, label: string, hint: string) => h('input', { value, size: 14, placeholder: hint, 'aria-label': label, spellcheck: false, onchange: change });
    const flag = (checked: boolean) => h('input', { type: 'checkbox', checked, onchange: change });
    this.image = { mean: text(image.mean, 'mean', '0'), std: text(std, 'std', '1'), bgr: flag(image.bgr), boxes: flag(false) };
    this.image.std.id = 'std';
    return h('div', { class: 'line settings' }, h('span', {}, 'y = (pixel − '), h('label', {}, 'mean ', this.image.mean), h('span', {}, ') / '), h('label', {}, 'std ', this.image.std),
      h('label', {}, this.image.bgr, ' B, G, R'), h('label', {}, this.image.boxes, ' boxes of a detector'));
  }

  private row(): HTMLElement {
    const { inputs } = this.state.model, sizes = (p: Port) => (p.shape ?? []).map(d => typeof d === 'number' ? d : 1), flat = (p: Port) => sizes(p).reduce((a, b) => a * b, 1);
    const small = inputs.every(p => p.shape && flat(p) <= 256);
    const zeros = (dims: number[]): unknown => dims.length === 0 ? 0 : Array.from({ length: dims[0] }, () => zeros(dims.slice(1)));
    const example = small ? JSON.stringify(Object.fromEntries(inputs.map(p => [p.name, zeros(sizes(p))])), null, 1).replace(/\n\s+(?=[\d\]-])/g, ' ') : '';
    const area = h('textarea', { id: 'row', spellcheck: false, rows: small ? 6 : 3, 'aria-label': 'a row as JSON or comma-separated values', placeholder: '{"input": [[0, 1, 2]]}   or   0, 1, 2', value: example });
    return h('details', { open: small }, h('summary', {}, 'A row: JSON, or values with commas between them'), area,
      h('div', { class: 'line' }, h('button', { class: 'go', id: 'send-row', onclick: () => this.sendRow(area.value) }, 'Run the row'), h('span', { class: 'soft' }, inputs.map(p => `${p.name}: ${p.dtype ?? p.type}[${(p.shape ?? ['...']).map(d => d ?? '?').join(', ')}]`).join(' · '))));
  }

  // --- questions

  private values(): Record<string, string> {
    if (!this.image) return {};
    return { mean: this.image.mean.value, std: this.image.std.value, bgr: this.image.bgr.checked ? '1' : '0', boxes: this.image.boxes.checked ? '1' : '0' };
  }
  private async send(file: File): Promise<void> {
    this.file = file;
    this.source = word(file.name);
    const isPicture = /^image\//.test(file.type), input = this.state.model.picture_inputs[0];
    if (this.picture) {
      this.picture.hidden = !isPicture;
      if (isPicture) { URL.revokeObjectURL(this.picture.src); this.picture.src = URL.createObjectURL(file); }
    }
    await this.ask({ kind: 'file', name: file.name, ...(isPicture && input && this.state.model.inputs.length > 1 ? { input } : {}), ...this.values() }, file);
  }
  private async sendRow(text: string): Promise<void> {
    const json = text.trim().startsWith('{');
    this.file = null;
    this.source = json ? 'row.json' : 'row.csv';
    await this.ask(json ? { kind: 'json' } : { kind: 'file', name: 'row.csv' }, text);
  }
  private async random(): Promise<void> { this.file = null; this.source = 'random'; await this.ask({ kind: 'random' }); }

  private async ask(values: Record<string, string>, body: BodyInit = ''): Promise<void> {
    tell();
    this.answer.setAttribute('aria-busy', 'true');
    try {
      this.show(await api.run(values, body));
    } catch (error) {
      const e = error as ApiError;
      this.answer.replaceChildren(h('p', { class: 'error' }, e.message), e.fix ? h('p', {}, 'fix: ', h('code', {}, e.fix)) : '', e.code ? h('p', { class: 'soft' }, `athanor explain ${e.code}`) : '');
    }
    this.answer.removeAttribute('aria-busy');
  }

  // --- the answer

  private show(doc: AnswerDoc): void {
    const boxes = doc.boxes ? [this.boxes(doc)] : doc.no_boxes ? [h('p', { class: 'error' }, doc.no_boxes)] : [];
    this.answer.replaceChildren(h('p', { class: 'soft' }, `${doc.input} · ${time(doc.ms)}`), ...boxes, ...doc.outputs.map(o => this.output(o)),
      h('details', {}, h('summary', {}, 'as the terminal shows it'), h('pre', {}, doc.text)));
  }
  private output(output: OutputDoc): HTMLElement {
    const box = h('div', { class: 'output' }, h('h3', {}, output.name, ' ', h('code', {}, `${output.dtype ?? output.type ?? ''}${output.shape ? `[${output.shape.join(', ')}]` : ''}`)));
    if (output.top && (output.top.some(t => t.label) || (output.values?.length ?? 3) > 2)) {
      box.append(h('table', { class: 'top' }, ...output.top.map((t, i) => {
        const bar = h('i');
        bar.style.width = `${100 * Math.max(0, Math.min(1, t.probability))}%`;
        return h('tr', { class: i === 0 ? 'first' : '' }, h('th', { scope: 'row' }, t.label || String(t.class)), h('td', { class: 'bar' }, h('div', { class: 'meter' }, bar)), h('td', { class: 'n' }, percent(t.probability)), h('td', { class: 'n soft' }, t.score.toPrecision(4)));
      })));
      return box;
    }
    if (output.values) box.append(h('code', { class: 'values' }, output.values.map(v => typeof v === 'number' ? String(Number(v.toPrecision(6))) : v === null ? 'NaN' : `"${v}"`).join('  ')));
    if (output.statistics) box.append(h('p', { class: 'soft' }, `min ${output.statistics.min.toPrecision(5)} · max ${output.statistics.max.toPrecision(5)} · mean ${output.statistics.mean.toPrecision(5)} · std ${output.statistics.std.toPrecision(5)}${output.statistics.not_finite ? ` · not finite: ${output.statistics.not_finite}` : ''}`));
    for (const item of output.items ?? []) box.append(this.output(item));
    return box;
  }
  private boxes(doc: AnswerDoc): HTMLElement {
    return h('table', { class: 'facts' }, h('tr', {}, ...['class', 'score', 'x1', 'y1', 'x2', 'y2'].map(t => h('th', { class: 'n' }, t))),
      ...doc.boxes!.map(b => h('tr', {}, h('td', { class: 'n' }, b.class), h('td', { class: 'n' }, b.score.toFixed(3)), ...b.box.map(v => h('td', { class: 'n' }, v.toPrecision(4))))));
  }
}
