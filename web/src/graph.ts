// What is drawn: nodes and edges made from the documents, in three forms.
//   read       the graph as the file holds it
//   optimized  after the passes, shapes filled in
//   run        the steps of the plan: what this machine executes
import { shape } from './dom';
import type { Fate, GraphDoc, NodeDoc, PlanDoc, StepDoc, ValueDoc } from './types';

export type Form = 'read' | 'optimized' | 'run';

export interface Drawn {
  kind: 'node' | 'input' | 'output';
  title: string;       // "Conv + Relu", or the name of an input
  sub: string;         // second line; "" when there is none
  name: string;        // of the first node
  op: string;          // the first operator
  nodes: NodeDoc[];    // what it stands for; none for inputs and outputs
  step: number;        // of the plan; -1
  values: number[];    // that it gives
  fate: Fate | 'new' | '';
  w: number; h: number; x: number; y: number;
  before: number[]; after: number[];  // neighbours
}
export interface Way { x: number; y: number }
export interface Edge {
  from: number; to: number; value: number; label: string;
  points: Way[] | null;  // null: a stub above its end
  left: number; right: number; top: number; bottom: number;
  named: boolean;         // its shape stands beside it
}
export interface Picture {
  form: Form; doc: GraphDoc; values: Map<number, ValueDoc>;
  nodes: Drawn[]; edges: Edge[];
}

const plain = { kind: 'node' as const, sub: '', name: '', step: -1, fate: '' as const, w: 0, h: 0, x: 0, y: 0 };

function ports(doc: GraphDoc, values: Map<number, ValueDoc>): { inputs: Drawn[]; outputs: Drawn[] } {
  const port = (kind: 'input' | 'output', name: string, value: number): Drawn => ({
    ...plain, kind, title: name, name, op: '', nodes: [], values: kind === 'input' ? [value] : [],
    sub: shape(values.get(value)?.type ?? ''), before: [], after: [],
  });
  return {
    inputs: doc.inputs.map(v => port('input', values.get(v)?.name ?? '', v)),
    outputs: doc.outputs.map(o => port('output', o.name, o.value)),
  };
}

const isValue = (v: number | null): v is number => v !== null;

/** One per node of the document. */
function single(node: NodeDoc): Drawn {
  return { ...plain, title: node.op, name: node.name, op: node.op, nodes: [node], values: node.out.filter(isValue), before: [], after: [] };
}

function ofStep(step: StepDoc, index: number, byId: Map<number, NodeDoc>): Drawn {
  const nodes = step.nodes.map(id => byId.get(id)).filter((n): n is NodeDoc => n !== undefined);
  const last = nodes[nodes.length - 1];
  return {
    ...plain, title: step.op, sub: step.kernel.startsWith(`${nodes[0]?.op}.`) ? step.kernel.slice(nodes[0].op.length + 1) : step.kernel, name: step.node, op: nodes[0]?.op ?? step.op, nodes, step: index,
    values: last?.out.filter(isValue) ?? [], before: [], after: [],
  };
}

/** The values that come from outside of what a drawn node covers, each once. */
function needs(drawn: Drawn): number[] {
  const own = new Set(drawn.nodes.flatMap(n => n.out));
  return [...new Set(drawn.nodes.flatMap(n => n.in).filter(isValue))].filter(v => !own.has(v));
}

export function picture(form: Form, doc: GraphDoc, plan: PlanDoc | null): Picture {
  const values = new Map(doc.values.map(v => [v.id, v]));
  const byId = new Map(doc.nodes.map(n => [n.id, n]));
  let middle: Drawn[];
  if (form === 'run' && plan) {
    // What no step covers only gives its input another shape.
    const covered = new Set(plan.steps.flatMap(s => s.nodes));
    const views = doc.nodes.filter(n => !covered.has(n.id)).map(n => ({ ...single(n), sub: 'a view, nothing runs' }));
    middle = [...plan.steps.map((s, i) => ofStep(s, i, byId)), ...views];
  } else {
    middle = doc.nodes.map(single);
    const drawn = new Map(middle.map(d => [d.nodes[0].id, d]));
    if (form === 'optimized') plan?.steps.forEach((step, i) => step.nodes.forEach(id => { const one = drawn.get(id); if (one) one.step = i; }));
  }
  const { inputs, outputs } = ports(doc, values);
  const nodes = [...inputs, ...middle, ...outputs];
  const giver = new Map<number, number>();
  nodes.forEach((d, i) => d.values.forEach(v => giver.set(v, i)));
  const edges: Edge[] = [];
  const connect = (value: number, to: number) => {
    const from = giver.get(value);
    if (from === undefined || from === to) return;  // a constant
    edges.push({ from, to, value, label: shape(values.get(value)?.type ?? ''), points: null, left: 0, right: 0, top: 0, bottom: 0, named: false });
    nodes[from].after.push(to);
    nodes[to].before.push(from);
  };
  nodes.forEach((d, i) => needs(d).forEach(v => connect(v, i)));
  outputs.forEach((_, i) => connect(doc.outputs[i].value, inputs.length + middle.length + i));
  return { form, doc, values, nodes, edges };
}

export function bounds(edge: Edge): void {
  const points = edge.points ?? [];
  edge.left = Math.min(...points.map(p => p.x)) - 2;
  edge.right = Math.max(...points.map(p => p.x)) + 2;
  edge.top = Math.min(...points.map(p => p.y)) - 2;
  edge.bottom = Math.max(...points.map(p => p.y)) + 2;
}

// Families of operators share a hue, so that a network's structure shows from afar.
const families: [string, RegExp][] = [
  ['matrix', /^(Conv|ConvTranspose|MatMul|Gemm|Einsum|LSTM|GRU|RNN|Attention|.*Integer)/],
  ['act', /(Relu|Sigmoid|Tanh|Gelu|Swish|Softmax|Elu|Clip|Mish|Softplus|Erf|PRelu)/],
  ['norm', /(Normalization|LRN|Lp)/],
  ['pool', /(Pool|Reduce|ArgM|TopK|CumSum|Resize|Upsample)/],
  ['quant', /(Quantize)/],
  ['move', /^(Reshape|Transpose|Concat|Split|Slice|Gather|Squeeze|Unsqueeze|Flatten|Pad|Expand|Identity|Tile|Cast|Shape|DepthToSpace|SpaceToDepth|Scatter)/],
  ['tree', /(Tree|Linear|SVM|Scaler|Encoder|Imputer|Binarizer|Scorecard)/],
  ['control', /^(If|Loop|Scan|Sequence|Optional)/],
];
export const family = (op: string): string => families.find(([, pattern]) => pattern.test(op))?.[0] ?? 'math';
