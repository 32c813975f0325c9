/** All workflows, as the worker's bundle sees them. */
export { backup } from './backup';
export { prune } from './prune';
export { restore } from './restore';
export { scheduledBackup } from './scheduled-backup';
