/** What the steps of a run are called where people follow it: activity → words. */

const STEP_NAMES: Readonly<Record<string, string>> = {
  takeLease: 'take the lease',
  raiseFences: 'raise the fence on all hosts',
  renewLease: 'renew the lease',
  releaseLease: 'give the lease back',
  checkHosts: 'look at the hosts',
  readStore: 'read the store',
  runHooks: 'run the hooks',
  openStore: 'open the store',
  captureLayouts: 'read the layouts of the hosts',
  freeze: 'freeze all hosts',
  thawAll: 'thaw all hosts',
  copySource: 'copy',
  sealBackup: 'seal the backup',
  dropSnapshots: 'remove the snapshots',
  closeGrants: 'close the grants',
  forgetRun: 'forget jobs and keys of the run',
  readBackup: 'read the backup',
  lookUp: 'look up the path',
  checkDestination: 'look at the destination',
  countRestore: 'count what would change',
  safetySnapshot: 'take a safety snapshot',
  stopWorkloads: 'stop the workloads',
  restoreSource: 'restore',
  startWorkloads: 'start the workloads',
  checkHealth: 'ask for health',
  oldMachineGone: 'make sure that the old machine is gone',
  findRescue: 'look for the rescue system',
  planRecovery: 'look at the machine and plan',
  tryWay: "try the data's way",
  placeHeaders: 'make room for headers of encrypted volumes',
  checkHeader: 'try the header of an encrypted volume',
  recoverStep: 'make the new system',
  recoverFix: 'fix its configuration',
  newSystem: 'make it boot',
  rebootRescue: 'reboot',
  awaitMachine: 'wait for the machine',
  knowCopy: 'pin the keys of the copy',
  listPrunable: 'read the store',
  removeBackup: 'remove a backup',
  checkRescue: 'look at',
  buildRescue: 'build rescue media of',
  sendRescue: 'send rescue media of',
  keepRescue: 'keep rescue media of',
  dropRescue: 'drop what was sent of rescue media',
  pinRescue: 'note the host key of the rescue system',
  bootRescue: 'boot rescue media of',
  notify: 'tell people',
};

/** A step in words; an activity that this program doesn't know (a newer worker's) by its own name. */
export function stepName(activity: string): string {
  return STEP_NAMES[activity] ?? activity;
}

const PHASES: Readonly<Record<string, string>> = {
  grant: 'opening the way',
  list: 'listing the files',
  copy: 'sending',
  compare: 'comparing',
  collect: 'collecting its parts',
  media: 'writing the media',
  verify: 'comparing the sums',
  fetch: 'fetching the image',
  boot: 'starting it',
};

/** What a copy is at, in words. */
export function phaseName(phase: string): string {
  return PHASES[phase] ?? phase;
}
