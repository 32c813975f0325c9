/** `resurgo rescue`: media that boot a dead machine, built on the host itself and kept beside its backups. */
import type { Command } from '@commander-js/extra-typings';
import { registerRescueBuild } from './rescue-build';
import { registerRescueFetch } from './rescue-fetch';
import { registerRescueList } from './rescue-list';
import { registerRescueSheet } from './rescue-sheet';
import { registerRescueUsb } from './rescue-usb';

export function registerRescue(program: Command): void {
  const rescue = program
    .command('rescue')
    .description('media that boot a dead machine: build, list, fetch, write to a stick')
    .addHelpText(
      'after',
      '\nExample:\n  $ resurgo rescue build web-1\n  $ resurgo rescue fetch web-1 --output iso --to web-1.iso',
    );
  for (const register of [
    registerRescueBuild,
    registerRescueList,
    registerRescueFetch,
    registerRescueUsb,
    registerRescueSheet,
  ])
    register(rescue);
}
