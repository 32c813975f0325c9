/** The rescue system's network, in a network namespace: as the host had it, by DHCP, and as the kernel's command line says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Box, describeAsRoot, SHELLS, type Shell } from '../support';

/** Two ends of a cable each; of these alone `eth…` are cards. This kernel may have neither bonds nor VLANs: others stand in for them. */
const CARDS = `
  mount -t sysfs sysfs /sys
  export PATH=/run/bin:$PATH
  modprobe() { :; }
  ip() { /run/bin/ip "$@"; }
  card() { ip link add "eth$1" address "52:54:00:00:00:0$1" type veth peer name "far$1" && ip link set "far$1" up; }
`;
const IP = `#!/bin/sh
case $* in
  'link add '*' type bond '*) echo "$*" >>/run/asked; exec /sbin/ip link add "$3" type bridge ;;
  'link add link '*' type vlan '*) echo "$*" >>/run/asked; exec /sbin/ip link add link "$4" name "$6" type macvlan ;;
esac
exec /sbin/ip "$@"
`;
const RESCUE = `
  rescue_ip= rescue_dns= rescue_vlan=
  mkdir -p /run/resurgo; rm -f /run/resurgo/*
  rescue_say() { echo "said: $1"; }
  . /usr/local/lib/resurgo/rescue/network.sh
  net_ip=/run/bin/ip
  net_is_card() { case $1 in eth*.*) return 1 ;; eth*) [ ! -e "/sys/class/net/$1/master" ] ;; *) return 1 ;; esac; }
  net_wait_card=3 net_wait_link=3
`;
/** Everything that matters of the network: addresses, then routes. */
const LOOK = `look() { looked | sed 's/ onlink//; s/ linkdown//; s/  */ /g; s/ $//'; }
before() { look; }
looked() {
  ip -o addr show scope global | awk '{ print $2, $4, $5 == "peer" ? $6 : "" }'
  ip -4 route show | grep -v 'proto kernel'
  ip -6 route show | grep -v 'proto kernel' | sed 's/ pref medium//; s/ expires [0-9]*sec//'
}`;
/** What the host's library reads of the namespace's devices; which of them are cards is told here. */
const CAPTURE = `
  . /usr/local/lib/resurgo/lib/rescue-network.sh
  capture_sys=/run/net capture_proc=/run/proc
  rm -rf $capture_sys $capture_proc; mkdir -p $capture_sys $capture_proc/vlan $capture_proc/bonding
  has() { mkdir -p "$capture_sys/$1"; cp /sys/class/net/$1/address /sys/class/net/$1/mtu "$capture_sys/$1"; case $1 in eth*.*) ;; eth*) mkdir "$capture_sys/$1/device" ;; esac; }
  on() { has "$1"; ln -s "../$2" "$capture_sys/$1/lower_$2"; }
  : >/etc/resolv.conf
`;

describeAsRoot('the network of a rescue system', () => {
  describe.each(SHELLS)('%s', (shell: Shell) => {
    let box: Box;
    beforeAll(() => {
      box = new Box({ shell });
      mkdirSync(box.file('run/bin'));
      writeFileSync(box.file('run/bin/ip'), IP, { mode: 0o755 });
    });
    afterAll(() => {
      box.close();
    });

    /** What the lines print in namespaces of their own. */
    function run(...lines: string[]): string[] {
      const [command = '', ...args] = shell.split(' ');
      const script = ['set -u', LOOK, CARDS, ...lines].join('\n');
      const ran = box.runs('unshare', [
        '-n',
        '-m',
        '-p',
        '-f',
        '--kill-child',
        '--mount-proc',
        command,
        ...args,
        '-c',
        script,
      ]);
      if (ran.status !== 0 || ran.stderr !== '') throw new Error(`exit ${ran.status}: ${ran.stdout}${ran.stderr}`);
      return ran.stdout.trimEnd().split('\n');
    }
    /** What is captured of a network that is made so, and that what comes of it in the rescue system is the same. */
    function comesBack(...made: string[]): string[] {
      const out = run(
        'card 1; card 2; ip link set lo up',
        CAPTURE,
        ...made,
        'before >/run/before',
        'rescue_capture_network | tee /etc/resurgo/rescue.net',
        'for each in /sys/class/net/*; do command ip link del "${each##*/}" 2>/dev/null; done; ip route flush table main',
        'card 1; card 2',
        RESCUE,
        'rescue_network; cat /run/resurgo/net; look >/run/after',
        'sed "s/^br0 /eth1 /; s/ dev br0/ dev eth1/" /run/before | diff - /run/after && echo same',
      );
      expect(out.slice(-2)).toEqual(['up', 'same']);
      return out.slice(0, -2);
    }

    test('comes back as it was: a plain card', () => {
      expect(
        comesBack(
          'has eth1; ip link set eth1 up; ip addr add 192.0.2.5/24 dev eth1; ip route add default via 192.0.2.1',
          'echo nameserver 192.0.2.53 >/etc/resolv.conf',
        ),
      ).toEqual([
        'card 52:54:00:00:00:01 1500 192.0.2.5/24',
        'route default 192.0.2.1 52:54:00:00:00:01 - -',
        'dns 192.0.2.53',
      ]);
    });

    test('with a gateway outside of its own network', () => {
      expect(
        comesBack(
          'has eth1; ip link set eth1 up; ip addr add 172.31.5.6/32 dev eth1; ip -6 addr add 2001:db8::5/64 dev eth1 nodad',
          'ip route add 172.31.1.1 dev eth1; ip route add default via 172.31.1.1 dev eth1; ip -6 route add default via fe80::1 dev eth1',
        ),
      ).toEqual(
        [
          'card 52:54:00:00:00:01 1500 172.31.5.6/32 2001:db8::5/64',
          'route default 172.31.1.1 52:54:00:00:00:01 - -',
          'route 172.31.1.1 - 52:54:00:00:00:01 - -',
          'route ::/0 fe80::1 52:54:00:00:00:01 1024 -',
        ].map((line) => expect.stringContaining(line) as string),
      );
    });

    test('with a peer, and with ways of other measures and sources', () => {
      expect(
        comesBack(
          'ip link set eth1 up; ip link set eth2 mtu 9000 up; has eth1; has eth2',
          'ip addr add 10.0.0.1 peer 10.0.0.2/32 dev eth1; ip addr add 192.0.2.5/24 dev eth2; ip addr add 198.51.100.7/32 dev eth2',
          'ip route add default via 10.0.0.2 dev eth1 metric 50; ip route add default via 192.0.2.1 metric 100',
          'ip route add 203.0.113.0/24 via 192.0.2.9 src 198.51.100.7; ip route add blackhole 192.0.2.128/25',
          'ip link add br9 type bridge; has br9; ip link set br9 up; ip addr add 172.17.0.1/16 dev br9; ip route add 10.9.0.0/16 via 172.17.0.9',
          // What hangs on nothing of this machine's own is not made.
          'before() { look | grep -v -e br9 -e 172.17 -e blackhole; }',
        ),
      ).toEqual([
        'card 52:54:00:00:00:01 1500 10.0.0.1,10.0.0.2/32',
        'card 52:54:00:00:00:02 9000 192.0.2.5/24 198.51.100.7/32',
        'route default 10.0.0.2 52:54:00:00:00:01 50 -',
        'route default 192.0.2.1 52:54:00:00:00:02 100 -',
        'route 203.0.113.0/24 192.0.2.9 52:54:00:00:00:02 - 198.51.100.7',
      ]);
    });

    test('of several gateways of one route each is one', () => {
      const out = run(
        'card 1; card 2',
        CAPTURE,
        'has eth1; has eth2; ip link set eth1 up; ip link set eth2 up; ip addr add 192.0.2.5/24 dev eth1; ip addr add 198.51.100.5/24 dev eth2',
        'ip route add default nexthop via 192.0.2.1 dev eth1 nexthop via 198.51.100.1 dev eth2',
        'rescue_capture_network | grep ^route',
      );
      expect(out).toEqual([
        'route default 192.0.2.1 52:54:00:00:00:01 - -',
        'route default 198.51.100.1 52:54:00:00:00:02 1 -',
      ]);
    });

    test('a bridge keeps its addresses on the card below it', () => {
      expect(
        comesBack(
          'ip link add br0 type bridge; ip link set eth1 master br0; ip link set eth1 up; ip link set br0 up',
          'has eth1; on br0 eth1; ip addr add 192.0.2.5/24 dev br0; ip route add default via 192.0.2.1',
        ),
      ).toEqual(['card 52:54:00:00:00:01 1500 192.0.2.5/24', 'route default 192.0.2.1 52:54:00:00:00:01 - -']);
    });

    test('a bridge on a VLAN on a bond, whatever their names', () => {
      const out = run(
        'card 1; card 2; rm -f /run/asked',
        // As the host has it: `zbond` of two cards, on it VLAN 5 as `adm` and another in that, and a bridge on the first.
        'ip link add zbond type bridge; ip link add adm type bridge; ip link add adm.9 type bridge; ip link add br0 type bridge',
        'ip addr add 192.0.2.5/24 dev br0; ip addr add 10.9.0.5/24 dev adm.9; ip link set br0 up; ip link set zbond mtu 9000',
        'ip route add default via 192.0.2.1 onlink dev br0',
        CAPTURE,
        'has eth1; has eth2; has zbond; on adm zbond; on br0 adm; on adm.9 adm; mkdir $capture_sys/zbond/bonding',
        'echo 802.3ad 4 >$capture_sys/zbond/bonding/mode; echo eth1 eth2 >$capture_sys/zbond/bonding/slaves',
        `for each in 1 2; do printf 'Slave Interface: eth%s\\nPermanent HW addr: 52:54:00:00:00:0%s\\nSlave queue ID: 0\\n\\n' $each $each; done >$capture_proc/bonding/zbond`,
        `printf 'adm  VID: 5\t REORDER_HDR: 1\nDevice: zbond\n' >$capture_proc/vlan/adm`,
        `printf 'adm.9  VID: 9\t REORDER_HDR: 1\nDevice: adm\n' >$capture_proc/vlan/adm.9`,
        'rescue_capture_network | tee /etc/resurgo/rescue.net',
        'for each in /sys/class/net/*; do ip link del "${each##*/}" 2>/dev/null; done',
        'card 1; card 2',
        RESCUE,
        'rescue_network; cat /run/asked; look; cat /sys/class/net/zbond/mtu',
        'ls /sys/class/net/zbond/brif',
      );
      expect(out).toEqual([
        'bond zbond 802.3ad 52:54:00:00:00:01 52:54:00:00:00:02',
        'vlan adm 5 zbond',
        'vlan adm.9 9 adm',
        'card zbond 9000',
        'card adm.9 1500 10.9.0.5/24',
        'card adm 1500 192.0.2.5/24',
        'route default 192.0.2.1 adm - -',
        'link add zbond type bond mode 802.3ad miimon 100',
        'link add link zbond name adm type vlan id 5',
        'link add link adm name adm.9 type vlan id 9',
        ...['adm 192.0.2.5/24', 'adm.9 10.9.0.5/24', 'default via 192.0.2.1 dev adm', '9000', 'eth1', 'eth2'],
      ]);
    });

    test('a card is looked for by its own MAC, not by one that it was given', () => {
      const out = run(
        'card 1',
        CAPTURE,
        'has eth1; ip link set eth1 up; ip addr add 192.0.2.5/24 dev eth1',
        'capture_ip() { case $* in "-o link show dev eth1") echo "2: eth1: <UP> link/ether 52:54:00:00:00:01 brd ff:ff permaddr 52:54:00:00:00:77" ;; *) ip "$@" ;; esac; }',
        'rescue_capture_network',
      );
      expect(out).toEqual(['card 52:54:00:00:00:77 1500 192.0.2.5/24']);
    });

    /** The rescue system with this in its rescue.net, and with a card that comes late. */
    const captured = (...lines: string[]): string => `cat >/etc/resurgo/rescue.net <<'E'\n${lines.join('\n')}\nE`;

    test('waits for a card that shows up late', () => {
      const out = run(
        captured('card 52:54:00:00:00:01 1500 192.0.2.5/24'),
        RESCUE,
        'net_wait_card=40; (sleep 0.5; card 1) &',
        'rescue_network; wait; look; cat /run/resurgo/net',
      );
      expect(out).toEqual(['eth1 192.0.2.5/24', 'up']);
    });

    test('has the VLAN and the name servers of the command line', () => {
      const out = run(
        captured(
          'card 52:54:00:00:00:01 1500 192.0.2.5/24',
          'route default 192.0.2.1 52:54:00:00:00:01 - -',
          'dns 192.0.2.53',
        ),
        'card 1; rm -f /run/asked',
        RESCUE,
        'rescue_vlan=7 rescue_dns=9.9.9.9,2620:fe::fe',
        'rescue_network; look; cat /run/asked /etc/resolv.conf',
      );
      expect(out).toEqual([
        'eth1.7 192.0.2.5/24',
        'default via 192.0.2.1 dev eth1.7',
        'link add link eth1 name eth1.7 type vlan id 7',
        'nameserver 9.9.9.9',
        'nameserver 2620:fe::fe',
        'nameserver 192.0.2.53',
      ]);
    });

    test.each([
      ['172.31.5.6/32,172.31.1.1', '', ['eth1 172.31.5.6/32', 'default via 172.31.1.1 dev eth1']],
      ['192.0.2.5/24,192.0.2.1,52:54:00:00:00:02', '', ['eth2 192.0.2.5/24', 'default via 192.0.2.1 dev eth2']],
      ['2001:db8::5/64,fe80::1', '', ['eth1 2001:db8::5/64', 'default via fe80::1 dev eth1 metric 1024']],
      ['192.0.2.5/24,192.0.2.1', '7', ['eth1.7 192.0.2.5/24', 'default via 192.0.2.1 dev eth1.7']],
    ])('has what was given: %s %s', (ip, vlan, seen) => {
      expect(run('card 1; card 2', RESCUE, `rescue_ip=${ip} rescue_vlan=${vlan}`, 'rescue_network; look')).toEqual(
        seen,
      );
    });

    test('gives a card that comes later what was given for it', () => {
      const out = run(
        RESCUE,
        'rescue_ip=192.0.2.5/24,192.0.2.1,52:54:00:00:00:01; rescue_banner_again() { echo banner; }',
        'rescue_network; cat /run/resurgo/net; card 1; rescue_network_again; look; cat /run/resurgo/net',
      );
      expect(out).toEqual([
        'said: no network card for resurgo.ip=192.0.2.5/24,192.0.2.1,52:54:00:00:00:01',
        ...['missing', 'banner', 'eth1 192.0.2.5/24', 'default via 192.0.2.1 dev eth1', 'up'],
      ]);
    });

    /** A DHCP server on the other end of a card's cable. */
    const SERVER = `serve() {
      printf '%s\\n' 'start 192.0.2.20' 'end 192.0.2.20' "interface far$1" 'lease_file /run/leases' 'opt subnet 255.255.255.0' \\
        'opt router 192.0.2.1' 'opt dns 192.0.2.53' 'min_lease 2' "$2" >/run/udhcpd
      : >/run/leases
      unshare -n sh -c "until /sbin/ip addr add 192.0.2.1/24 dev far$1; do sleep 0.1; done; /sbin/ip link set far$1 up; exec busybox udhcpd -f -I 192.0.2.1 /run/udhcpd" >/dev/null 2>&1 &
      while [ -e "/sys/class/net/far$1" ]; do ip link set "far$1" netns $!; sleep 0.1; done
    }
    ask_again() { for each in /proc/[0-9]*; do ! tr '\\0' ' ' <"$each/cmdline" | grep -q 'udhcpc .*eth2' || kill -USR1 "\${each#/proc/}"; done; }
    until_seen() { for each in $(seq 100); do eval "$1" && return 0; sleep 0.1; done; echo "not seen: $1"; return 1; }`;
    const LEASED = ['eth2 192.0.2.20/24', 'default via 192.0.2.1 dev eth2 src 192.0.2.20 metric 1NN'];
    const metrics = (lines: string[]): string[] => lines.map((line) => line.replace(/metric 1\d\d$/, 'metric 1NN'));

    test('asks on each card by DHCP, and renews what it got', () => {
      const out = run(
        'rm -f /etc/resurgo/rescue.net; card 1; card 2',
        SERVER,
        'serve 2 ""',
        RESCUE,
        `printf '#!/bin/sh\necho $1 >>/run/called\nexec /usr/local/lib/resurgo/rescue/dhcp "$@"\n' >/run/bin/dhcp; chmod 755 /run/bin/dhcp; rm -f /run/called`,
        'net_dhcp_script=/run/bin/dhcp net_wait_lease=100; rescue_dns=9.9.9.9',
        'rescue_network; look; cat /run/resurgo/net /etc/resolv.conf; ask_again; until_seen "grep -qx renew /run/called"; look',
      );
      expect(metrics(out)).toEqual([...LEASED, ...['dhcp', 'nameserver 9.9.9.9', 'nameserver 192.0.2.53'], ...LEASED]);
    });

    test('goes on asking when no server answers, and says the banner again when one does', () => {
      const out = run(
        'rm -f /etc/resurgo/rescue.net; card 1; card 2',
        SERVER,
        RESCUE,
        'net_wait_lease=5; net_dhcp_words="-t 1 -T 1 -A 1"; rescue_network',
        `printf '#!/bin/sh\necho banner >>/run/banners\n' >/run/bin/ssh-keygen; chmod 755 /run/bin/ssh-keygen; rm -f /run/banners`,
        'echo yes >/run/resurgo/pinned; echo >/run/resurgo/said',
        'serve 2 ""; until_seen "[ -s /run/banners ]"; look; cat /run/resurgo/said /run/banners',
      );
      expect(metrics(out)).toEqual([
        "said: no address by DHCP yet ( eth1 eth2); it is asked for on. Or give one on the kernel's command line (resurgo.ip=ADDRESS/PREFIX,GATEWAY)",
        ...LEASED,
        ...['192.0.2.20', 'banner'],
      ]);
    });

    describe('on other hardware, where no server gives an address', () => {
      const captured = `printf 'card 52:54:00:00:00:99 1500 192.0.2.2/24\nroute default 192.0.2.1 52:54:00:00:00:99 - -\n' >/etc/resurgo/rescue.net`;
      const far = (address: string) => [
        'unshare -n sleep 60 & peer=$!',
        'until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done; ip link set far1 netns $peer',
        `nsenter -n -t $peer sh -c '/sbin/ip addr add ${address}/24 dev far1; /sbin/ip link set far1 up'`,
        'ip link set eth1 up; until grep -qx 1 /sys/class/net/eth1/carrier 2>/dev/null; do sleep 0.1; done',
      ];
      const asking = 'net_wait_lease=5; net_dhcp_words="-t 1 -T 1 -A 1"; rescue_host=web-1; rescue_network; look';

      test('the only card with a link gets the addresses that were captured', () => {
        const out = run('card 1; card 2; ip link set far2 down', ...far('192.0.2.1'), captured, RESCUE, asking);
        expect(out).toEqual([
          'said: no address by DHCP: eth1 has the addresses of web-1, as the only card with a link',
          'eth1 192.0.2.2/24',
          'default via 192.0.2.1 dev eth1',
        ]);
      });

      test('not where another machine has the address', () => {
        const out = run('card 1', ...far('192.0.2.2'), captured, RESCUE, asking);
        expect(out[0]).toBe("said: 192.0.2.2, the address of web-1, is another machine's on eth1: it is not taken");
        expect(out.join()).not.toContain('192.0.2.2/24');
      });

      test('not where it could be one of two cards, or a bond was captured', () => {
        for (const more of [
          'card 2; ip link set eth2 up',
          "printf 'bond bond0 active-backup 52:54:00:00:00:99\n' >>/etc/resurgo/rescue.net",
        ]) {
          const out = run('card 1', ...far('192.0.2.1'), captured, more, RESCUE, asking);
          expect(out.join()).not.toContain('192.0.2.2/24');
        }
      });
    });

    test('asks on a card that comes later, and on the VLAN that was named', () => {
      const out = run(
        'rm -f /etc/resurgo/rescue.net',
        SERVER,
        RESCUE,
        'net_wait_lease=2; rescue_ip=dhcp rescue_vlan=7; rescue_network >/dev/null',
        // What the VLAN's stand-in sends comes out untagged.
        'card 2; serve 2 ""; rescue_network_again; until_seen "[ -e /run/resurgo/bound ]"; look',
      );
      expect(metrics(out)).toEqual(LEASED.map((line) => line.replaceAll('eth2', 'eth2.7')));
    });

    /** What the script makes of one lease. */
    const leased = (words: string): string[] =>
      run(
        'card 1; ip link set eth1 up',
        RESCUE,
        `env interface=eth1 ${words} /usr/local/lib/resurgo/rescue/dhcp bound; look; cat /sys/class/net/eth1/mtu`,
      );

    test('takes a lease whose gateway lies outside of it, and the ways that a server names', () => {
      expect(metrics(leased('ip=172.31.5.6 mask=32 router=172.31.1.1 dns=192.0.2.53'))).toEqual([
        'eth1 172.31.5.6/32',
        'default via 172.31.1.1 dev eth1 src 172.31.5.6 metric 1NN',
        '1500',
      ]);
      expect(
        metrics(
          leased('ip=10.0.0.5 mask=32 router=10.9.9.9 staticroutes="10.0.0.1/32 0.0.0.0 0.0.0.0/0 10.0.0.1" mtu=1460'),
        ),
      ).toEqual([
        'eth1 10.0.0.5/32',
        'default via 10.0.0.1 dev eth1 src 10.0.0.5 metric 1NN',
        '10.0.0.1 dev eth1 scope link src 10.0.0.5 metric 1NN',
        '1460',
      ]);
    });

    test('another lease takes the place of the one before', () => {
      const out = run(
        'card 1; ip link set eth1 up',
        RESCUE,
        'lease() { env interface=eth1 ip=192.0.2.$2 mask=24 router=192.0.2.1 /usr/local/lib/resurgo/rescue/dhcp "$1"; }',
        'lease bound 5; lease deconfig 5; lease nak 5; look; lease bound 6; look',
      );
      expect(metrics(out)).toEqual(
        [5, 6].flatMap((last) => [
          `eth1 192.0.2.${last}/24`,
          `default via 192.0.2.1 dev eth1 src 192.0.2.${last} metric 1NN`,
        ]),
      );
    });
  });
});
