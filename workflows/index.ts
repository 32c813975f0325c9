/** All workflows, as the worker's bundle sees them. */
export { backup } from './backup';
export { copyBatch } from './copy-batch';
export { prune } from './prune';
export { recover } from './recover';
export { rescue } from './rescue';
export { restore } from './restore';
export { scheduledBackup } from './scheduled-backup';
