// The first view: the graph in three forms, with search, colours and the panel.
import { api } from './api';
import { GraphCanvas } from './canvas';
import { heat, kFamilies, kFates, painter, type ColourBy } from './colours';
import { $, h, time } from './dom';
import { family, picture, type Drawn, type Form, type Picture } from './graph';
import { panel } from './panel';
import { tell, type State, type View } from './state';

const kForms: [Form, string, string][] = [
  ['read', 'As read', 'the nodes of the file'], ['optimized', 'Optimised', 'after the passes, shapes filled in'], ['run', 'As run', 'the steps this machine executes'],
];

export class GraphView implements View {
  readonly name = 'graph';
  readonly title = 'Graph';
  private form: Form = 'run';
  private by: ColourBy = 'time';
  private canvas!: GraphCanvas;
  private root!: HTMLElement;
  private matches: number[] = [];
  private readonly pictures = new Map<Form, Picture>();

  constructor(private readonly state: State) {}

  command(): string {
    const model = this.state.model.command_word;
    if (this.form === 'read') return `athanor inspect ${model}`;
    return this.form === 'optimized' ? `athanor optimize ${model}` : `athanor explain ${model} --all`;
  }

  async open(root: HTMLElement): Promise<void> {
    if (this.canvas) { this.recolour(); return this.canvas.draw(); }
    this.root = root;
    root.append(this.tools(), h('div', { class: 'stage' },
      h('canvas', { id: 'graph', tabIndex: 0, role: 'application', 'aria-label': 'The graph. Arrow keys follow the edges, slash searches, plus and minus zoom, 0 shows all.', 'aria-describedby': 'spoken' }),
      h('div', { class: 'busy', id: 'busy' }, 'laying out ...'),
      h('div', { class: 'legend', id: 'legend' }),
      h('div', { class: 'zoom' },
        h('button', { title: 'zoom in (+)', 'aria-label': 'zoom in', onclick: () => this.canvas.zoom(1.3) }, '+'),
        h('button', { title: 'zoom out (-)', 'aria-label': 'zoom out', onclick: () => this.canvas.zoom(1 / 1.3) }, '−'),
        h('button', { title: 'the whole graph (0)', 'aria-label': 'show the whole graph', onclick: () => this.canvas.fit() }, '⤢')),
      h('div', { class: 'said', id: 'spoken', 'aria-live': 'polite' })),
      h('aside', { id: 'panel', 'aria-label': 'details', hidden: true }));
    this.canvas = new GraphCanvas($<HTMLCanvasElement>('graph'));
    this.canvas.onSelect = i => this.selected(i);
    // For people with the console open, and for the tests.
    (window as unknown as { athanorGraph: GraphCanvas }).athanorGraph = this.canvas;
    document.addEventListener('keydown', e => this.keys(e));
    await this.show(this.form);
  }

  /** Steps were planned or measured: colours and panel follow. */
  refresh(): void {
    if (!this.canvas) return;
    this.recolour();
    if (this.canvas.selected >= 0) this.selected(this.canvas.selected);
  }

  private tools(): HTMLElement {
    const forms = kForms.map(([form, label, title]) => h('button', { role: 'radio', 'aria-checked': String(form === this.form), 'data-form': form, title, onclick: () => this.show(form) }, label));
    const colours = h('select', { id: 'colour', 'aria-label': 'colours', onchange: (e: Event) => { this.by = (e.target as HTMLSelectElement).value as ColourBy; this.recolour(); } },
      h('option', { value: 'time' }, 'by time'), h('option', { value: 'operator' }, 'by operator'), h('option', { value: 'change' }, 'by what passes did'));
    const search = h('input', { id: 'search', type: 'search', placeholder: 'Search  /', 'aria-label': 'search nodes by operator, name or kernel', autocomplete: 'off', spellcheck: false,
      oninput: () => this.search(search.value),
      onkeydown: (e: Event) => this.searchKeys(e as KeyboardEvent, search) });
    return h('div', { class: 'tools' }, h('div', { class: 'segments', role: 'radiogroup', 'aria-label': 'form of the graph' }, ...forms), h('label', {}, 'Colours ', colours), h('span', { class: 'grow' }),
      h('span', { class: 'soft', id: 'hits' }), search);
  }

  private async make(form: Form): Promise<Picture> {
    const kept = this.pictures.get(form);
    if (kept) return kept;
    const doc = await api.graph(form === 'read' ? 'raw' : 'optimized');
    const plan = form === 'read' ? null : await api.plan();
    const made = picture(form, doc, plan);
    this.pictures.set(form, made);
    return made;
  }

  private async show(form: Form): Promise<void> {
    this.form = form;
    for (const b of this.root.querySelectorAll('[data-form]')) b.setAttribute('aria-checked', String(b.getAttribute('data-form') === form));
    tell();
    const busy = $('busy');
    busy.hidden = false;
    busy.textContent = 'laying out ...';
    busy.classList.remove('error');
    try {
      const made = await this.make(form);
      if (this.form !== form) return;
      await this.canvas.show(made);
      busy.hidden = true;
    } catch (error) {
      busy.textContent = error instanceof Error ? error.message : String(error);
      busy.classList.add('error');
      return;
    }
    performance.mark('graph-drawn');
    $('panel').hidden = true;
    this.search($<HTMLInputElement>('search').value);
    this.recolour();
    if (this.by === 'change') void this.fates();
  }

  /** Marks what the passes did to each node of the two graphs. */
  private async fates(): Promise<void> {
    const { fates } = await api.passes();
    const byOld = new Map(fates.map(f => [f.id, f])), byNew = new Map<number, string>();
    for (const f of fates) if (f.now !== undefined && byNew.get(f.now) !== 'changed') byNew.set(f.now, f.fate);
    for (const [form, drawn] of this.pictures)
      for (const node of drawn.nodes)
        node.fate = (form === 'read' ? byOld.get(node.nodes[0]?.id)?.fate : node.nodes.length ? worst(node.nodes.map(n => byNew.get(n.id) ?? 'new')) : '') as Drawn['fate'] ?? '';
    this.canvas.draw();
  }

  /** A node's time by the longest, or null. */
  private share(node: Drawn): number | null {
    const profile = this.state.profile;
    if (!profile || node.step < 0) return null;
    return profile.steps_ms[node.step] / Math.max(...profile.steps_ms);
  }

  private recolour(): void {
    const most = Math.max(...(this.state.profile?.steps_ms ?? [0]));
    this.canvas.paint = painter(this.by, n => { const ms = this.state.profile?.steps_ms[n.step]; return ms === undefined || most <= 0 ? null : ms / most; });
    this.canvas.note = n => { const ms = this.state.profile?.steps_ms[n.step]; return ms === undefined ? '' : time(ms); };
    if (this.by === 'change') void this.fates();
    this.legend();
    this.canvas.draw();
  }

  private legend(): void {
    const box = $('legend');
    const swatch = (colour: string, text: string) => { const dot = h('i'); dot.style.background = colour; return h('span', {}, dot, text); };
    const made = this.pictures.get(this.form);
    if (this.by === 'operator') {
      const seen = new Set(made?.nodes.filter(n => n.kind === 'node').map(n => family(n.op)));
      box.replaceChildren(...Object.entries(kFamilies).filter(([key]) => seen.has(key)).map(([, [colour, text]]) => swatch(colour, text)));
    } else if (this.by === 'change') {
      const shown = this.form === 'read' ? ['kept', 'changed', 'gone'] : ['kept', 'changed', 'new'];
      box.replaceChildren(...shown.map(f => swatch(kFates[f][matchMedia('(prefers-color-scheme: dark)').matches ? 1 : 0], kFates[f][2])));
    } else if (this.form === 'read') {
      box.replaceChildren(h('span', {}, 'steps are timed, not the nodes of the file: see Optimised and As run'));
    } else if (this.state.profile) {
      const strip = h('i', { class: 'strip' });
      strip.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(t => heat(Math.sqrt(t))).join(', ')})`;
      box.replaceChildren(h('span', {}, '0', strip, time(Math.max(...this.state.profile.steps_ms)), ' per step'));
    } else box.replaceChildren(h('span', {}, 'measuring ...'));
  }

  // --- search

  private search(text: string): void {
    const want = text.trim().toLowerCase(), nodes = this.canvas.picture?.nodes ?? [];
    const inside = (n: Drawn) => [n.title, n.name, n.sub, ...n.nodes.map(x => x.name), ...n.values.map(v => this.canvas.picture!.values.get(v)?.name ?? '')].some(t => t.toLowerCase().includes(want));
    this.matches = want ? nodes.map((_, i) => i).filter(i => inside(nodes[i])) : [];
    this.canvas.found = new Set(this.matches);
    $('hits').textContent = want ? `${this.matches.length} found` : '';
    this.canvas.draw();
  }
  private searchKeys(e: KeyboardEvent, input: HTMLInputElement): void {
    if (e.key === 'Escape') { input.value = ''; this.search(''); $('graph').focus(); }
    if (e.key !== 'Enter' || !this.matches.length) return;
    const at = this.matches.indexOf(this.canvas.selected), step = e.shiftKey ? -1 : 1;
    const next = (at + step + this.matches.length) % this.matches.length;
    this.canvas.select(this.matches[at < 0 ? 0 : next]);
    $('hits').textContent = `${(at < 0 ? 0 : next) + 1} of ${this.matches.length}`;
  }
  private keys(e: KeyboardEvent): void {
    if (e.key !== '/' || this.root.hidden || (e.target instanceof HTMLElement && /INPUT|TEXTAREA|SELECT/.test(e.target.tagName))) return;
    e.preventDefault();
    $('search').focus();
  }

  private selected(index: number): void {
    const side = $('panel'), drawn = this.canvas.picture;
    side.hidden = index < 0;
    if (index < 0 || !drawn) return;
    const node = drawn.nodes[index];
    const close = h('button', { class: 'close', 'aria-label': 'close', title: 'close (Esc)', onclick: () => { this.canvas.select(-1); $('graph').focus(); } }, '×');
    side.replaceChildren(close, ...panel(node, drawn, this.state, value => {
      const giver = drawn.nodes.findIndex(n => n.values.includes(value));
      if (giver >= 0) this.canvas.select(giver);
    }));
    side.scrollTop = 0;
    const share = this.share(node);
    $('spoken').textContent = `${node.title} ${node.name}${share === null ? '' : `, ${time(this.state.profile!.steps_ms[node.step])}`}`;
  }

  /** From another view: shows a step of the plan. */
  async goToStep(step: number): Promise<void> {
    if (this.form !== 'run') await this.show('run');
    this.canvas.select(this.canvas.picture!.nodes.findIndex(n => n.step === step));
  }
}

const worst = (fates: string[]): string => ['new', 'changed', 'kept'].find(f => fates.includes(f)) ?? 'kept';
