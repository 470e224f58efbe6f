// Places the nodes of a graph; runs in a worker of its own.
//
// A network is mostly a chain of small blocks. It is cut at every node through which all ways lead, each block is laid
// out by dagre, equal blocks once, and the blocks are put under each other: a thousand nodes take tens of
// milliseconds where dagre alone takes seconds. What would still be much work (many edges that pass many ranks) is
// made less by drawing the longest edges as stubs.
import { graphlib, layout } from '@dagrejs/dagre';

export interface Box { w: number; h: number }
export interface Ask { id: number; boxes: Box[]; edges: [number, number][] }
export interface Place { x: number; y: number }
/** Centres of boxes; the way of each edge, or null when it is drawn as a stub at its end. */
export interface Told { id: number; places: Place[]; ways: (Place[] | null)[] }

const kRankGap = 34, kNodeGap = 22;
const kFar = 12, kHub = 3, kMostPassed = 1500;

/** Longest way from a source, sources pulled down to their first consumer. Edges that close a cycle are left out. */
export function ranks(size: number, edges: [number, number][]): number[] {
  const next: number[][] = Array.from({ length: size }, () => []), missing = new Array<number>(size).fill(0);
  for (const [a, b] of edges) { next[a].push(b); ++missing[b]; }
  const rank = new Array<number>(size).fill(0), ready: number[] = [];
  for (let i = 0; i < size; ++i) if (missing[i] === 0) ready.push(i);
  const sources = [...ready];
  for (let at = 0; at < ready.length; ++at) {
    for (const b of next[ready[at]]) {
      rank[b] = Math.max(rank[b], rank[ready[at]] + 1);
      if (--missing[b] === 0) ready.push(b);
    }
  }
  for (const s of sources) if (next[s].length > 0) rank[s] = Math.min(...next[s].map(b => rank[b])) - 1;
  return rank;
}

/**
 * Which edges become stubs: the long ones of a value that is used all along the graph (a mask that every layer reads),
 * and the longest until the others pass at most kMostPassed ranks in all.
 */
function stubs(rank: number[], edges: [number, number][]): Set<number> {
  const long = edges.map(([a, b], i) => ({ i, from: a, span: rank[b] - rank[a] - 1 })).filter(e => e.span > 0).sort((a, b) => b.span - a.span);
  const cut = new Set<number>(), far = new Map<number, number[]>();
  for (const e of long) if (e.span >= kFar) far.set(e.from, [...(far.get(e.from) ?? []), e.i]);
  for (const list of far.values()) if (list.length >= kHub) for (const i of list) cut.add(i);
  let passed = long.reduce((sum, e) => sum + (cut.has(e.i) ? 0 : e.span), 0);
  for (const e of long) {
    if (passed <= kMostPassed || e.span < 4) break;
    if (cut.has(e.i)) continue;
    cut.add(e.i);
    passed -= e.span;
  }
  return cut;
}

interface Block { nodes: number[]; edges: number[] }

/** Blocks from cut to cut, from top to bottom; neighbours share the cut node. */
function blocks(rank: number[], edges: [number, number][], stub: Set<number>): Block[] {
  const last = Math.max(0, ...rank), rows: number[][] = Array.from({ length: last + 1 }, () => []);
  rank.forEach((r, i) => rows[r].push(i));
  const over = new Array<number>(last + 2).fill(0);
  edges.forEach(([a, b], i) => { if (!stub.has(i)) { ++over[rank[a] + 1]; --over[rank[b]]; } });
  const starts: number[] = [0];
  for (let r = 0, passing = 0; r <= last; ++r) {
    passing += over[r];
    if (r > 0 && passing === 0 && rows[r].length === 1) starts.push(r);
  }
  const block_of = new Array<number>(last + 1).fill(0);
  starts.forEach((s, k) => { for (let r = s; r < (starts[k + 1] ?? last + 1); ++r) block_of[r] = k; });
  const list: Block[] = starts.map((s, k) => {
    const nodes: number[] = [];
    for (let r = s; r <= Math.min(starts[k + 1] ?? last, last); ++r) nodes.push(...rows[r]);
    return { nodes, edges: [] };
  });
  edges.forEach(([a], i) => { if (!stub.has(i)) list[block_of[rank[a]]].edges.push(i); });
  return list;
}

interface Laid { places: Place[]; ways: Place[][] }

function place(boxes: Box[], edges: [number, number][]): Laid {
  if (boxes.length === 1) return { places: [{ x: 0, y: 0 }], ways: [] };
  if (boxes.length === 2 && edges.length === 1) {
    const y = boxes[0].h / 2 + kRankGap + boxes[1].h / 2;
    return { places: [{ x: 0, y: 0 }, { x: 0, y }], ways: [[{ x: 0, y: boxes[0].h / 2 }, { x: 0, y: y - boxes[1].h / 2 }]] };
  }
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: kNodeGap, edgesep: 14, ranksep: kRankGap, ranker: boxes.length > 300 ? 'longest-path' : 'network-simplex' });
  boxes.forEach((box, i) => graph.setNode(String(i), { width: box.w, height: box.h }));
  edges.forEach(([a, b], i) => graph.setEdge(String(a), String(b), {}, String(i)));
  layout(graph);
  const at = (p: { x: number; y: number }): Place => ({ x: p.x, y: p.y });
  return {
    places: boxes.map((_, i) => at(graph.node(String(i)) as unknown as Place)),
    ways: edges.map(([a, b], i) => ((graph.edge(String(a), String(b), String(i)) as unknown as { points: Place[] }).points).map(at)),
  };
}

export function arrange(boxes: Box[], edges: [number, number][]): { places: Place[]; ways: (Place[] | null)[] } {
  const rank = ranks(boxes.length, edges), stub = stubs(rank, edges);
  const places: Place[] = new Array(boxes.length), ways: (Place[] | null)[] = new Array(edges.length).fill(null);
  const known = new Map<string, Laid>();
  for (const block of blocks(rank, edges, stub)) {
    const index = new Map(block.nodes.map((n, i) => [n, i]));
    const small = block.nodes.map(n => boxes[n]), inner = block.edges.map(e => [index.get(edges[e][0])!, index.get(edges[e][1])!] as [number, number]);
    const key = JSON.stringify([small.map(b => [b.w, b.h]), inner]);
    let laid = known.get(key);
    if (!laid) known.set(key, laid = place(small, inner));
    // The first node of a block is the last of the one above.
    const anchor = places[block.nodes[0]] ?? laid.places[0];
    const dx = anchor.x - laid.places[0].x, dy = anchor.y - laid.places[0].y;
    const move = (p: Place): Place => ({ x: p.x + dx, y: p.y + dy });
    block.nodes.forEach((n, i) => { places[n] ??= move(laid.places[i]); });
    block.edges.forEach((e, i) => { ways[e] = laid.ways[i].map(move); });
  }
  return { places, ways };
}

if (typeof self !== 'undefined' && 'postMessage' in self && typeof document === 'undefined') {
  self.onmessage = (event: MessageEvent<Ask>) => {
    const { id, boxes, edges } = event.data;
    (self as unknown as Worker).postMessage({ id, ...arrange(boxes, edges) } satisfies Told);
  };
}
