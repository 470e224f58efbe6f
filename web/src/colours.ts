// Colours of nodes: by time, by family of operator, by what the passes did.
import { family, type Drawn } from './graph';
import type { Paint } from './canvas';

export type ColourBy = 'time' | 'operator' | 'change';

type Rgb = [number, number, number];
const rgb = (hex: string): Rgb => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)) as Rgb;
const dark = () => matchMedia('(prefers-color-scheme: dark)').matches;

// From cold iron to the furnace.
const kHeat = { light: ['#e9e4dc', '#f3c78b', '#e27b36', '#a3221b'].map(rgb), dark: ['#38342f', '#6e4524', '#cf6a26', '#ffc46b'].map(rgb) };

/** 0 cold, 1 hottest. */
export function heat(t: number): string {
  const stops = kHeat[dark() ? 'dark' : 'light'], at = Math.min(0.9999, Math.max(0, t)) * (stops.length - 1), i = Math.floor(at), f = at - i;
  return `rgb(${[0, 1, 2].map(k => Math.round(stops[i][k] + (stops[i + 1][k] - stops[i][k]) * f)).join(',')})`;
}
function inkOn(colour: string): string {
  const [r, g, b] = colour.startsWith('#') ? rgb(colour) : colour.match(/\d+/g)!.map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#201c18' : '#ffffff';
}

export const kFamilies: Record<string, [string, string]> = {
  matrix: ['#3d6cb0', 'matrix products, convolutions'], act: ['#b2503b', 'activations'], norm: ['#4f8246', 'normalisation'],
  pool: ['#7657a6', 'pooling, reductions'], quant: ['#8c6d16', 'quantisation'], move: ['#6a7078', 'data movement'],
  tree: ['#26857a', 'classical models'], control: ['#9c4674', 'control flow'], math: ['#4a7890', 'arithmetic'],
};
export const kFates: Record<string, [string, string, string]> = {
  kept: ['#dfdad2', '#3a3733', 'as it was'], changed: ['#d79a2b', '#8a6114', 'rewritten'], gone: ['#b2503b', '#8c3526', 'gone'], new: ['#4f8246', '#3d6a36', 'new'],
};

/** The paint for a choice; `share` is a node's time by the hottest one's, or null when not known. */
export function painter(by: ColourBy, share: (node: Drawn) => number | null): Paint {
  const cache = new Map<string, { fill: string; ink: string }>();
  const of = (fill: string) => {
    let found = cache.get(fill);
    if (!found) cache.set(fill, found = { fill, ink: inkOn(fill) });
    return found;
  };
  return node => {
    if (by === 'operator') return of(kFamilies[family(node.op)][0]);
    if (by === 'change') return of((kFates[node.fate] ?? kFates.kept)[dark() ? 1 : 0]);
    const t = share(node);
    // The root spreads the many short ones.
    return of(heat(t === null ? 0 : Math.sqrt(t)));
  };
}
