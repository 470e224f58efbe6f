// Small helpers: elements, texts of numbers, clipboard.

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

/** An element with properties (on... are listeners, aria-... and data-... attributes) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value as EventListener);
    else if (key === 'class') element.className = String(value);
    else if (key.includes('-') || key === 'role' || key === 'for') element.setAttribute(key, String(value));
    else (element as unknown as Props)[key] = value;
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(typeof child === 'number' ? String(child) : child);
  return element;
}

export const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

const units = ['', ' k', ' M', ' G', ' T', ' P'];
/** 8900000 -> "8.90 M" */
export function count(value: number): string {
  let unit = 0;
  while (value >= 1000 && unit + 1 < units.length) { value /= 1000; ++unit; }
  return (unit === 0 ? String(Math.round(value)) : value.toFixed(2)) + units[unit];
}
/** 131072 -> "128 KiB" */
export function bytes(value: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit + 1 < names.length) { value /= 1024; ++unit; }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${names[unit]}`;
}
/** Milliseconds: "0.8 µs", "3.42 ms", "1.20 s" */
export function time(ms: number): string {
  if (ms < 0.1) return `${(ms * 1000).toFixed(1)} µs`;
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** "f32[1, 16, 32, 32]" -> "1×16×32×32" */
export function shape(type: string): string {
  const open = type.indexOf('['), close = type.lastIndexOf(']');
  if (open < 0 || close < 0) return type;
  const dims = type.slice(open + 1, close);
  return dims === '' ? 'scalar' : dims.split(', ').join('×');
}

export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A word as a shell reads it back. */
export const word = (text: string): string => /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
