// Draws a picture on a canvas; pan, zoom, select by mouse, touch pad and keyboard. Only what is in view is drawn, and
// less of it from afar.
import { bounds, type Drawn, type Edge, type Picture } from './graph';
import type { Ask, Told } from './layout';

/** How a node is painted, from what the reader wants colours for. */
export type Paint = (node: Drawn) => { fill: string; ink: string };

interface Colours { paper: string; ink: string; soft: string; line: string; accent: string; found: string; port: string }

const kTitle = '600 12.5px system-ui, sans-serif', kSub = '11px ui-monospace, SFMono-Regular, Menlo, monospace', kLabel = '10.5px system-ui, sans-serif';
const kAfar = 0.25;  // below, boxes and lines only, painted once
const kNear = 0.42;   // below, no texts
const kLabels = 0.62;  // below, no shapes on edges
const kStub = 14;      // where a stub arrives, from the left side of its box

export class GraphCanvas {
  picture: Picture | null = null;
  selected = -1;
  found: Set<number> = new Set();
  paint: Paint = () => ({ fill: '#888', ink: '#fff' });
  /** What stands behind the second line. */
  note: (node: Drawn) => string = () => '';
  onSelect: (node: number) => void = () => {};
  /** Milliseconds between frames while something moves; for measurements. */
  readonly frames: number[] = [];

  private context: CanvasRenderingContext2D;
  private readonly worker = new Worker('layout.js');
  private asked = 0;
  private scale = 1; private tx = 0; private ty = 0;
  private width = 0; private height = 0; private ratio = 1;
  private pending = 0; private lastFrame = 0;
  private hover = -1;
  private rows: { top: number; bottom: number; nodes: number[] }[] = [];
  private colours!: Colours;
  private flight: { from: [number, number, number]; to: [number, number, number]; start: number } | null = null;
  /** The graph as it looks from afar, until anything but the place changes. */
  private whole: { image: HTMLCanvasElement; left: number; top: number; scale: number } | null = null;
  private readonly measured = new Map<string, number>();

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d', { alpha: false })!;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement!);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { this.readColours(); this.draw(); });
    this.readColours();
    this.resize();
    this.listen();
  }

  /** Lays the picture out, then shows it. */
  show(picture: Picture, keep = false): Promise<void> {
    for (const node of picture.nodes) this.size(node);
    const id = ++this.asked;
    const ask: Ask = { id, boxes: picture.nodes.map(n => ({ w: n.w, h: n.h })), edges: picture.edges.map(e => [e.from, e.to]) };
    return new Promise((resolve, reject) => {
      this.worker.onerror = event => reject(new Error(event.message));
      this.worker.onmessage = (event: MessageEvent<Told>) => {
        if (event.data.id !== this.asked) return;
        this.take(picture, event.data);
        if (!keep) this.start();
        this.draw();
        resolve();
      };
      this.worker.postMessage(ask);
    });
  }

  private take(picture: Picture, told: Told): void {
    told.places.forEach((p, i) => { picture.nodes[i].x = p.x; picture.nodes[i].y = p.y; });
    told.ways.forEach((way, i) => {
      const edge = picture.edges[i], end = picture.nodes[edge.to];
      edge.points = way && fromBoxToBox(way, picture.nodes[edge.from], end);
      if (way) bounds(edge);
      else Object.assign(edge, { left: end.x - end.w / 2 - 200, right: end.x + end.w / 2, top: end.y - end.h / 2 - 30, bottom: end.y });
    });
    this.nameOnce(picture);
    this.picture = picture;
    this.selected = -1;
    this.found = new Set();
    this.index();
  }

  /** Of the ways of one value the straightest says its shape. */
  private nameOnce(picture: Picture): void {
    const bend = (e: Edge) => e.points ? Math.abs(e.points[1].x - e.points[0].x) : Infinity, best = new Map<number, Edge>();
    for (const e of picture.edges) {
      const other = best.get(e.value);
      if (e.points && (!other || bend(e) < bend(other))) best.set(e.value, e);
    }
    for (const e of picture.edges) e.named = best.get(e.value) === e;
  }

  /** Nodes in horizontal bands, so that the visible ones are found without looking at all. */
  private index(): void {
    const order = this.picture!.nodes.map((_, i) => i).sort((a, b) => this.picture!.nodes[a].y - this.picture!.nodes[b].y);
    this.rows = [];
    for (let at = 0; at < order.length; at += 16) {
      const nodes = order.slice(at, at + 16), all = nodes.map(i => this.picture!.nodes[i]);
      this.rows.push({ nodes, top: Math.min(...all.map(n => n.y - n.h / 2)), bottom: Math.max(...all.map(n => n.y + n.h / 2)) });
    }
  }

  private text(font: string, text: string): number {
    const key = font + text;
    let width = this.measured.get(key);
    if (width === undefined) {
      this.context.font = font;
      this.measured.set(key, width = this.context.measureText(text).width);
    }
    return width;
  }

  private size(node: Drawn): void {
    // A step leaves room for its time, which comes later.
    const sub = node.step >= 0 && node.sub ? `${node.sub} · 00.0 µs` : node.sub;
    const wide = Math.max(this.text(kTitle, node.title), sub ? this.text(kSub, sub) : 0);
    node.w = Math.ceil((Math.max(wide, 40) + 24) / 4) * 4;
    node.h = node.sub ? 42 : 28;
  }

  // --- the view

  private clamp(scale: number): number { return Math.min(3, Math.max(0.02, scale)); }
  private extent(): { left: number; right: number; top: number; bottom: number } {
    const nodes = this.picture?.nodes ?? [];
    let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
    for (const n of nodes) {
      left = Math.min(left, n.x - n.w / 2); right = Math.max(right, n.x + n.w / 2);
      top = Math.min(top, n.y - n.h / 2); bottom = Math.max(bottom, n.y + n.h / 2);
    }
    return nodes.length ? { left, right, top, bottom } : { left: 0, right: 1, top: 0, bottom: 1 };
  }
  /** The whole graph. */
  fit(): void {
    const e = this.extent(), pad = 40;
    const scale = this.clamp(Math.min((this.width - 2 * pad) / (e.right - e.left), (this.height - 2 * pad) / (e.bottom - e.top), 1.25));
    this.fly(scale, this.width / 2 - scale * (e.left + e.right) / 2, this.height / 2 - scale * (e.top + e.bottom) / 2);
  }
  /** The beginning at a size that can be read, or the whole when that can be read too. */
  private start(): void {
    const e = this.extent();
    const all = Math.min((this.width - 80) / (e.right - e.left), (this.height - 80) / (e.bottom - e.top));
    const scale = all > 0.5 ? Math.min(all, 1.25) : Math.min(1, Math.max(0.5, (this.width - 80) / (e.right - e.left)));
    const first = this.picture?.nodes[0];
    const middle = all > 0.5 || !first ? (e.left + e.right) / 2 : first.x;
    this.flight = null;
    this.scale = scale;
    this.tx = this.width / 2 - scale * middle;
    this.ty = all > 0.5 ? this.height / 2 - scale * (e.top + e.bottom) / 2 : 70 - scale * e.top;
  }
  zoom(factor: number, x = this.width / 2, y = this.height / 2): void {
    const scale = this.clamp(this.scale * factor), ratio = scale / this.scale;
    this.flight = null;
    this.tx = x - (x - this.tx) * ratio;
    this.ty = y - (y - this.ty) * ratio;
    this.scale = scale;
    this.draw();
  }
  pan(dx: number, dy: number): void { this.flight = null; this.tx += dx; this.ty += dy; this.request(); }
  /** Where it looks: scale and offset. */
  get view(): [number, number, number] { return [this.scale, this.tx, this.ty]; }

  private fly(scale: number, tx: number, ty: number): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) { [this.scale, this.tx, this.ty] = [scale, tx, ty]; return this.draw(); }
    this.flight = { from: this.view, to: [scale, tx, ty], start: performance.now() };
    this.draw();
  }
  /** Brings a node into the middle when it is not in view. */
  reveal(index: number): void {
    const node = this.picture?.nodes[index];
    if (!node) return;
    const x = node.x * this.scale + this.tx, y = node.y * this.scale + this.ty, margin = 60;
    const seen = x > margin && x < this.width - margin && y > margin && y < this.height - margin;
    if (seen && this.scale >= kNear) return this.draw();
    const scale = Math.max(this.scale, 0.8);
    this.fly(scale, this.width / 2 - scale * node.x, this.height / 2 - scale * node.y);
  }
  select(index: number, tell = true): void {
    this.selected = index;
    if (index >= 0) this.reveal(index);
    if (tell) this.onSelect(index);
    this.draw();
  }

  // --- input

  private at(event: MouseEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  private hit(x: number, y: number): number {
    const gx = (x - this.tx) / this.scale, gy = (y - this.ty) / this.scale, slack = 3 / this.scale;
    for (const row of this.rows) {
      if (gy < row.top - slack || gy > row.bottom + slack) continue;
      for (const i of row.nodes) {
        const n = this.picture!.nodes[i];
        if (Math.abs(gx - n.x) <= n.w / 2 + slack && Math.abs(gy - n.y) <= n.h / 2 + slack) return i;
      }
    }
    return -1;
  }

  private listen(): void {
    const pointers = new Map<number, [number, number]>();
    let moved = 0, pinch = 0;
    const c = this.canvas;
    c.addEventListener('pointerdown', e => {
      c.setPointerCapture(e.pointerId);
      pointers.set(e.pointerId, this.at(e));
      moved = 0; pinch = 0;
    });
    c.addEventListener('pointermove', e => {
      const [x, y] = this.at(e), last = pointers.get(e.pointerId);
      if (!last) {
        const over = this.picture ? this.hit(x, y) : -1;
        if (over !== this.hover) { this.hover = over; c.style.cursor = over >= 0 ? 'pointer' : 'grab'; this.draw(); }
        return;
      }
      moved += Math.abs(x - last[0]) + Math.abs(y - last[1]);
      pointers.set(e.pointerId, [x, y]);
      if (pointers.size === 1) { c.style.cursor = 'grabbing'; return this.pan(x - last[0], y - last[1]); }
      const [[ax, ay], [bx, by]] = [...pointers.values()];
      const spread = Math.hypot(ax - bx, ay - by);
      if (pinch > 0) this.zoom(spread / pinch, (ax + bx) / 2, (ay + by) / 2);
      pinch = spread;
    });
    const up = (e: PointerEvent) => {
      if (pointers.delete(e.pointerId) && moved < 4 && e.type === 'pointerup' && this.picture) this.select(this.hit(...this.at(e)));
      c.style.cursor = this.hover >= 0 ? 'pointer' : 'grab';
    };
    c.addEventListener('pointerup', up);
    c.addEventListener('pointercancel', up);
    c.addEventListener('dblclick', e => this.zoom(e.shiftKey ? 0.6 : 1.6, ...this.at(e)));
    c.addEventListener('wheel', e => {
      e.preventDefault();
      // A touch pad pans; a pinch, and a wheel that turns in steps, zooms.
      const steps = e.deltaMode !== 0 || (e.deltaX === 0 && Math.abs(e.deltaY) >= 80);
      if (e.ctrlKey || steps) this.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)), ...this.at(e));
      else this.pan(-e.deltaX, -e.deltaY);
    }, { passive: false });
    c.addEventListener('keydown', e => { if (this.key(e)) e.preventDefault(); });
  }

  /** Arrows follow the edges; with shift they move the view. */
  private key(e: KeyboardEvent): boolean {
    const nodes = this.picture?.nodes;
    if (!nodes || e.ctrlKey || e.metaKey || e.altKey) return false;
    const arrow = { ArrowUp: [0, 80], ArrowDown: [0, -80], ArrowLeft: [80, 0], ArrowRight: [-80, 0] }[e.key];
    if (arrow && (e.shiftKey)) { this.pan(arrow[0], arrow[1]); return true; }
    if (arrow) {
      if (this.selected < 0) { this.select(0); return true; }
      const node = nodes[this.selected], beside = (i: number) => Math.abs(nodes[i].x - node.x);
      const nearest = (list: number[]) => [...list].sort((a, b) => beside(a) - beside(b))[0];
      let to: number | undefined;
      if (e.key === 'ArrowDown') to = nearest(node.after);
      if (e.key === 'ArrowUp') to = nearest(node.before);
      if (arrow[0] !== 0) {
        // Beside it: what shares a giver or a taker, else what stands on the same height.
        const near = nodes.map((_, i) => i).filter(i => i !== this.selected && Math.abs(nodes[i].y - node.y) < 40 && (nodes[i].x < node.x) === (e.key === 'ArrowLeft'));
        to = nearest(near);
      }
      if (to !== undefined) this.select(to);
      return true;
    }
    if (e.key === '+' || e.key === '=') { this.zoom(1.25); return true; }
    if (e.key === '-') { this.zoom(0.8); return true; }
    if (e.key === '0' || e.key === 'f') { this.fit(); return true; }
    if (e.key === 'Escape') { this.select(-1); return true; }
    if (e.key === 'Home' || e.key === 'End') { this.select(e.key === 'Home' ? 0 : nodes.length - 1); return true; }
    return false;
  }

  // --- drawing

  private readColours(): void {
    const style = getComputedStyle(document.documentElement), of = (name: string) => style.getPropertyValue(name).trim();
    this.colours = { paper: of('--canvas'), ink: of('--ink'), soft: of('--soft'), line: of('--edge'), accent: of('--accent'), found: of('--found'), port: of('--port') };
  }
  private resize(): void {
    const box = this.canvas.parentElement!.getBoundingClientRect();
    if (this.width > 0) this.tx += (box.width - this.width) / 2;
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    this.width = box.width; this.height = box.height;
    this.canvas.width = Math.max(1, Math.round(box.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * this.ratio));
    this.frame(performance.now());
  }
  draw(): void { this.whole = null; this.request(); }
  private request(): void { if (!this.pending) this.pending = requestAnimationFrame(now => this.frame(now)); }

  private frame(now: number): void {
    this.pending = 0;
    if (this.lastFrame && now - this.lastFrame < 500) this.frames.push(now - this.lastFrame);
    if (this.frames.length > 2000) this.frames.splice(0, 1000);
    this.lastFrame = now;
    if (this.flight) {
      const t = Math.min(1, (performance.now() - this.flight.start) / 260), ease = 1 - (1 - t) ** 3, { from, to } = this.flight;
      [this.scale, this.tx, this.ty] = [0, 1, 2].map(i => from[i] + (to[i] - from[i]) * ease) as [number, number, number];
      if (t < 1) this.draw();
      else this.flight = null;
    }
    this.render();
  }

  private render(): void {
    const c = this.context, k = this.scale * this.ratio;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = this.colours.paper;
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.picture) return;
    if (this.fromAfar()) return;
    c.setTransform(k, 0, 0, k, this.tx * this.ratio, this.ty * this.ratio);
    this.content({ left: -this.tx / this.scale, top: -this.ty / this.scale, right: (this.width - this.tx) / this.scale, bottom: (this.height - this.ty) / this.scale });
  }

  /**
   * From afar everything is in view, and painting a thousand nodes takes longer than a frame where no graphics processor
   * helps: it is painted once and moved.
   */
  private fromAfar(): boolean {
    if (this.scale >= kAfar || this.flight) return false;
    const e = this.extent(), pad = 8 / this.scale, k = this.scale * this.ratio;
    const width = Math.ceil((e.right - e.left + 2 * pad) * k), height = Math.ceil((e.bottom - e.top + 2 * pad) * k);
    if (width > 4096 || height > 8192) return false;
    if (!this.whole || this.whole.scale !== k) {
      const image = document.createElement('canvas'), own = this.context;
      Object.assign(image, { width, height });
      this.context = image.getContext('2d')!;
      this.context.setTransform(k, 0, 0, k, (pad - e.left) * k, (pad - e.top) * k);
      this.content(e);
      this.context = own;
      this.whole = { image, left: e.left - pad, top: e.top - pad, scale: k };
    }
    this.context.drawImage(this.whole.image, Math.round(this.tx * this.ratio + this.whole.left * k), Math.round(this.ty * this.ratio + this.whole.top * k));
    return true;
  }

  private content(view: { left: number; top: number; right: number; bottom: number }): void {
    this.edges(view);
    for (const row of this.rows) {
      if (row.bottom < view.top || row.top > view.bottom) continue;
      for (const i of row.nodes) {
        const n = this.picture!.nodes[i];
        if (n.x + n.w / 2 >= view.left && n.x - n.w / 2 <= view.right && n.y + n.h / 2 >= view.top && n.y - n.h / 2 <= view.bottom) this.node(n, i);
      }
    }
  }

  private edges(view: { left: number; top: number; right: number; bottom: number }): void {
    const c = this.context, far = this.scale < kAfar, seen: Edge[] = [], marked: Edge[] = [];
    for (const e of this.picture!.edges) {
      if (e.right < view.left || e.left > view.right || e.bottom < view.top || e.top > view.bottom) continue;
      (this.selected >= 0 && (e.from === this.selected || e.to === this.selected) ? marked : seen).push(e);
    }
    const stroke = (list: Edge[], colour: string, width: number) => {
      if (!list.length) return;
      c.strokeStyle = colour;
      c.lineWidth = Math.max(width, 0.8 / this.scale);
      c.beginPath();
      for (const e of list) this.way(e.points ?? this.stub(e), far);
      c.stroke();
      if (far) return;
      c.fillStyle = colour;
      c.beginPath();
      for (const e of list) {
        const tip = (e.points ?? this.stub(e)).at(-1)!;
        c.moveTo(tip.x, tip.y);
        c.lineTo(tip.x - 3.6, tip.y - 6.5);
        c.lineTo(tip.x + 3.6, tip.y - 6.5);
      }
      c.fill();
    };
    stroke(seen, this.colours.line, 1.3);
    stroke(marked, this.colours.accent, 2.2);
    if (this.scale < kLabels) return;
    for (const e of [...seen, ...marked]) this.label(e);
  }

  /** The end of an edge whose way is not drawn. */
  private stub(e: Edge): { x: number; y: number }[] {
    const end = this.picture!.nodes[e.to], x = end.x - end.w / 2 + kStub, y = end.y - end.h / 2;
    return [{ x, y: y - 18 }, { x, y }];
  }

  /** Vertical at every point, so that ways leave and arrive straight. */
  private way(points: { x: number; y: number }[], straight: boolean): void {
    const c = this.context;
    c.moveTo(points[0].x, points[0].y);
    for (let i = 1; i < points.length; ++i) {
      const a = points[i - 1], b = points[i], middle = (a.y + b.y) / 2;
      if (straight || a.x === b.x) c.lineTo(b.x, b.y);
      else c.bezierCurveTo(a.x, middle, b.x, middle, b.x, b.y);
    }
  }

  private label(e: Edge): void {
    const { nodes } = this.picture!;
    if (!e.points) {
      const end = nodes[e.to];
      return this.write(`from ${nodes[e.from].name || nodes[e.from].title} `, end.x - end.w / 2 + kStub - 5, end.y - end.h / 2 - 12, 'right');
    }
    if (!e.named) return;
    // Beside the first stretch of the way.
    const [a, b] = e.points;
    this.write(e.label, (a.x + b.x) / 2 + 6, (a.y + b.y) / 2, 'left');
  }

  /** A small text with paper under it. */
  private write(text: string, x: number, y: number, align: 'left' | 'right'): void {
    const c = this.context, width = this.text(kLabel, text);
    c.fillStyle = this.colours.paper;
    c.globalAlpha = 0.85;
    c.fillRect(align === 'left' ? x - 2 : x - width - 2, y - 6.5, width + 4, 13);
    c.globalAlpha = 1;
    c.font = kLabel;
    c.textAlign = align;
    c.textBaseline = 'middle';
    c.fillStyle = this.colours.soft;
    c.fillText(text, x, y);
  }

  private node(n: Drawn, index: number): void {
    const c = this.context, left = n.x - n.w / 2, top = n.y - n.h / 2, marked = index === this.selected;
    const { fill, ink } = n.kind === 'node' ? this.paint(n) : { fill: this.colours.port, ink: this.colours.ink };
    c.fillStyle = fill;
    if (this.scale < kAfar) c.fillRect(left, top, n.w, n.h);
    else {
      c.beginPath();
      c.roundRect(left, top, n.w, n.h, n.kind === 'node' ? 6 : n.h / 2);
      c.fill();
    }
    if (marked || index === this.hover || this.found.has(index)) {
      c.strokeStyle = marked ? this.colours.accent : this.found.has(index) ? this.colours.found : this.colours.soft;
      c.lineWidth = Math.max(marked ? 3 : 2, 2 / this.scale);
      c.beginPath();
      c.roundRect(left - 2, top - 2, n.w + 4, n.h + 4, n.kind === 'node' ? 8 : n.h / 2 + 2);
      c.stroke();
    }
    if (this.scale < kNear) return;
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.fillStyle = ink;
    c.font = kTitle;
    c.fillText(n.title, n.x, n.sub ? n.y - 8 : n.y + 0.5);
    if (!n.sub) return;
    c.font = kSub;
    c.globalAlpha = 0.82;
    const note = this.note(n);
    c.fillText(note ? `${n.sub} · ${note}` : n.sub, n.x, n.y + 9);
    c.globalAlpha = 1;
  }
}

/** dagre ends a way where it meets the side of a box: here it leaves at the bottom and arrives at the top. */
function fromBoxToBox(way: { x: number; y: number }[], from: Drawn, to: Drawn): { x: number; y: number }[] {
  const inside = (x: number, box: Drawn) => Math.min(box.x + box.w / 2 - 12, Math.max(box.x - box.w / 2 + 12, x));
  const first = way[0], last = way[way.length - 1];
  const middle = way.length === 3 ? [] : way.slice(1, -1);
  return [{ x: inside(first.x, from), y: from.y + from.h / 2 }, ...middle, { x: inside(last.x, to), y: to.y - to.h / 2 }];
}
