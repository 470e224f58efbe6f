// What all views share: the documents that have come, and how a command line names the model.
import type { ModelDoc, PlanDoc, ProfileDoc } from './types';

export interface State { model: ModelDoc; plan: PlanDoc | null; profile: ProfileDoc | null }

export interface View {
  readonly name: string;
  readonly title: string;
  /** The command that gives the same. */
  command(): string;
  /** Makes the content the first time; later calls refresh it. */
  open(root: HTMLElement): void | Promise<void>;
}

/** Told by views when their command has changed. */
export const commandChanged = new EventTarget();
export const tell = (): void => { commandChanged.dispatchEvent(new Event('change')); };
