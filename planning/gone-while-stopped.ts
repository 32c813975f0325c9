/** What is said of a container that a restore or a hand had stopped and that is no longer there when everything starts again. */
export function goneWhileStopped(name: string): string {
  return `container ${name} was removed or made anew while it was stopped, so it was not started: see that what took its place runs`;
}
