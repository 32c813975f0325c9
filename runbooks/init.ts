/** The first runbook of a new operator. */

/** A commented runbook that validates; everything in it is to be replaced by one's own. */
export function starterRunbook(): string {
  return `# A Resurgo runbook: which machines there are, and what of them is backed up where and when.
#   resurgo runbook validate FILE   says what is wrong, by line
#   resurgo runbook show FILE       prints it with every default filled in
#   resurgo runbook schema          prints the JSON Schema, for completion in an editor
version: 1

# Prefix of the host names below. Backups leave it out: prod-app-1 is app-1 there,
# so what was backed up in production restores into staging-app-1 unchanged.
deployment: prod

hosts:
  prod-app-1:
    address: 10.0.0.11
    # The administrator's own login, used once by "resurgo enroll".
    admin_user: root
  prod-app-2:
    address: 10.0.0.12
    # Reached by way of another host of this file:
    # via: prod-app-1
  prod-target:
    address: 10.0.0.20

stores:
  main:
    host: prod-target
    # btrfs: a subvolume per backup; zfs: a snapshot per backup (place: tank/backup);
    # hardlink: plain folders on any file system.
    kind: btrfs
    place: /backup
    compression: zstd
    # A backup that would need the last of the space is refused.
    reserve: 5%

groups:
  # A group is frozen at one instant, backed up and restored as one.
  portal:
    sources:
      - host: prod-app-1
        path: /srv/data
        # btrfs or zfs: the instant is held by a snapshot. none: a live copy, labelled so.
        snapshot: btrfs
        exclude: [cache/]
      # The whole machine, all its own file systems; in place of its folders, not beside them:
      # - host: prod-app-1
      #   path: /
      #   snapshot: system
      - host: prod-app-2
        path: /srv/data
        snapshot: btrfs

    quiesce:
      # Whatever happens, each host lets everything run again after this.
      max_pause: 30s
      # all, none, or { label: "key=value" }. Our own engine's containers are never paused.
      containers: all

    target: main

    transfer:
      # 50MB/s in bytes, 400Mbit/s in bits, or none.
      bandwidth: none
      parallel: 4

    # When a host can't be reached: fail (no backup), or partial (one of the others, marked so everywhere).
    on_unreachable: fail

    # How much data may be lost, and how long it may take to be back.
    rpo: 24h
    rto: 4h

    # What stays of each day, week and month. From now on each scheduled backup REMOVES the rest, and asks nobody;
    # "resurgo prune --dry-run" shows what would go. Without this part a schedule removes nothing.
    keep:
      last: 3
      daily: 7
      weekly: 4
      monthly: 12

    # Five fields, UTC. Applied by "resurgo schedule apply".
    schedule:
      cron: "30 1 * * *"
      jitter: 5m

    # Who hears of it. Secrets are never written here, only where they lie.
    # notify:
    #   - webhook: https://chat.example.org/hooks/backups
    #     on: [failure, needs-operator]
    #     secret: { file: /etc/resurgo/webhook.secret }

    # Carried into each backup, for the day of the disaster.
    contacts:
      - name: Operator on duty
        role: decides about a restore
        phone: "+46 8 000 00 00"
    notes: |
      Where the machines stand, who may enter, in which order services come back.
`;
}
