/** How long each part of a run took, by the engine's clock; its rows on the board are the same parts. */
import type { Phase } from '../planning/recover-phases';
import type { Board } from './board';

export class Timeline {
  readonly phases: Phase[] = [];

  constructor(private readonly board: Board) {}

  /** Runs `body` as a part of that name. One that failed is noted as well: what it took was taken. */
  async phase<T>(phase: string, body: () => Promise<T>): Promise<T> {
    const began = Date.now();
    try {
      return await this.board.step(phase, body, () => `${secondsSince(began)} s`);
    } finally {
      this.phases.push({ phase, seconds: secondsSince(began) });
    }
  }
}

/** Whole seconds since then, ms. */
export function secondsSince(beganMs: number): number {
  return Math.round((Date.now() - beganMs) / 1000);
}
