/** The command line in a process of its own, over a fleet in memory whose store holds the backups of the file RESURGO_TEST_BACKUPS. */
import { readFileSync } from 'node:fs';
import { FakeHosts } from '../../../hosts/fake';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { main } from '../../../cli/main';

const stored = process.env.RESURGO_TEST_BACKUPS;
const fleet = new FakeHosts({ latencyMs: 0 });
if (stored !== undefined) fleet.host('target').backups.push(...(JSON.parse(readFileSync(stored, 'utf8')) as never[]));
SshHosts.open = () => Promise.resolve(fleet as unknown as SshHosts);
void main(process.argv);
