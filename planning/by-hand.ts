/** The runs of an operator's hand: they hold a group as any run does, and the engine knows nothing of them. */

/** Holds the group from one command to another: a pause that stands. */
export const HAND = 'hand-';
/** Done within one command, and nobody else may go on under it. */
export const BRIEF_HAND = 'hold-';

/** Whether this run, as a lease names it, is somebody's hand. */
export function isByHand(run: string): boolean {
  return run.startsWith(HAND) || run.startsWith(BRIEF_HAND);
}

/** Who holds the group, for whoever can't have it now, and what gives it back. */
export function byHandWords({ run, group }: { run: string; group: string }): string {
  if (run.startsWith(BRIEF_HAND))
    return 'somebody holds or releases a backup of it: that is done in a moment, try again';
  return `somebody works on it by hand; a pause ends with \`resurgo unpause ${group}\``;
}
