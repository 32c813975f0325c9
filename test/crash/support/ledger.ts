/**
 * A shared ledger: the writer on host A records n, then tells the writer on host B, which records n. So at any one instant B is never
 * ahead of A and at most one behind, and a backup that mixes two instants shows it.
 */
import type { Fleet } from '../../lab/support/fleet';

/**
 * It goes on where its ledger ends, and first tells B again what B may have missed. `nc -w` bounds the connecting alone: to a B whose power
 * failed in the middle of an answer it would listen for ever.
 */
const TELL = `tell() { until printf "GET /cgi-bin/record?$1 HTTP/1.0\\r\\n\\r\\n" | timeout 5 nc -w 3 $PEER 8080 | grep -q ok; do sleep 0.2; done; }
n=$(tail -n 1 /data/ledger 2>/dev/null); n=\${n:-0}; [ "$n" = 0 ] || tell "$n"
while :; do n=$((n+1)); echo $n >>/data/ledger; tell "$n"; sleep 0.05; done`;
const RECORD = `#!/bin/sh
echo "$QUERY_STRING" >>/data/ledger
printf "Content-Type: text/plain\\r\\n\\r\\nok\\n"
`;

/** Starts both writers; they come back whenever docker does. */
export async function startLedger(fleet: Fleet, [a, b]: readonly [string, string]): Promise<void> {
  const run = 'docker run -d --restart always --network host -v /srv/ledger:/data --name writer';
  await fleet.exec(b, 'mkdir -p /srv/ledger /srv/www/cgi-bin');
  await fleet.exec(b, 'cat >/srv/www/cgi-bin/record && chmod 755 /srv/www/cgi-bin/record', { input: RECORD });
  await fleet.exec(b, `${run} -v /srv/www:/www:ro bb:1 httpd -f -p 8080 -h /www`);
  await fleet.exec(a, 'mkdir -p /srv/ledger && cat >/srv/ledger/tell', { input: TELL });
  await fleet.exec(a, `${run} -e PEER=${fleet.host(b).address} bb:1 sh /data/tell`);
}

/** How far ahead A's ledger is of B's in a sealed backup: 0 or 1, where it is of one instant. */
export async function ledgerLead(fleet: Fleet, backup: string, [a, b]: readonly [string, string]): Promise<number> {
  const last = (app: string): string => `$(tail -n 1 ${backup}/${app}@+srv/ledger/ledger)`;
  return Number((await fleet.exec('target', `echo $((${last(a)} - ${last(b)}))`)).stdout);
}
