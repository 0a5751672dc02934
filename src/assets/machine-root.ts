import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runCommand } from './command.ts'
import type { Recipe } from './recipe.ts'
import { takeBundle } from './remedies.ts'

const suite = 'bookworm'

/** HAProxy is here because the balancer runs from a copy of this root, never from the host. */
const packages = [
  'ca-certificates',
  'conntrack',
  'dbus',
  'e2fsprogs',
  'ethtool',
  'haproxy',
  'iproute2',
  'iptables',
  'kmod',
  // Node's binary needs it.
  'libstdc++6',
  'mount',
  'nftables',
  'procps',
  'runc',
  'socat',
  'systemd',
  'systemd-sysv',
  'util-linux',
]

const excluded = ['doc', 'info', 'lintian', 'locale', 'man']

/** Nothing of these belongs to a cluster's machine, and each costs time when a machine boots. */
const masked = [
  'apt-daily-upgrade.service',
  'apt-daily-upgrade.timer',
  'apt-daily.service',
  'apt-daily.timer',
  'console-getty.service',
  'container-getty@.service',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty.target',
  'getty@.service',
  'haproxy.service',
  'logrotate.timer',
  'nftables.service',
  'serial-getty@.service',
  'systemd-logind.service',
  'systemd-networkd-wait-online.service',
  'systemd-networkd.service',
  'systemd-networkd.socket',
  'systemd-resolved.service',
  'systemd-timesyncd.service',
  'systemd-tmpfiles-clean.timer',
]

const directories = ['etc/kubernetes', 'opt/cni/bin', 'opt/holdfast', 'var/lib/holdfast']

const files: Record<string, string> = {
  // Empty, not absent: each machine gets its own on its first boot.
  'etc/machine-id': '',
  'etc/resolv.conf': '',
  'etc/fstab': '',
  // Kept on disk, so that a machine's last words can be read after it was killed.
  'etc/systemd/journald.conf.d/holdfast.conf':
    '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRuntimeMaxUse=16M\nForwardToSyslog=no\nAudit=no\n',
  'etc/systemd/system.conf.d/holdfast.conf': '[Manager]\nDefaultTimeoutStopSec=20s\n',
}

const removed = ['etc/hostname', 'var/log/apt', 'var/log/dpkg.log', 'var/log/bootstrap.log']

const bootstrapTimeoutMs = 1_200_000

/**
 * The read-only root of every machine: a small Debian with systemd. Needs root, mmdebstrap and
 * Debian's archive (HOLDFAST_DEBIAN_MIRROR names another one); packages are checked by their
 * signatures.
 */
export const machineRootRecipe: Recipe = {
  name: 'machine-root',
  version: suite,
  title: `Machine root (Debian ${suite})`,
  ingredients: [JSON.stringify({ packages, excluded, masked, directories, files, removed })],
  build: async (dir, { env, progress, stop }) => {
    const mirror = env.HOLDFAST_DEBIAN_MIRROR
    let unpacked = 0
    progress('downloading packages')
    await runCommand(
      'mmdebstrap',
      [
        '--verbose',
        '--variant=minbase',
        '--format=directory',
        `--include=${packages.join(',')}`,
        ...excluded.map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
        suite,
        dir,
        ...(mirror ? [mirror] : []),
      ],
      {
        env,
        timeoutMs: bootstrapTimeoutMs,
        dieWithParent: true,
        stop,
        onLine: (line) => {
          if (line.startsWith('Setting up ')) progress(`${++unpacked} packages set up`)
        },
        remedy: `Check that Debian’s archive can be reached, or set HOLDFAST_DEBIAN_MIRROR. ${takeBundle}`,
      },
    )
    await prepare(dir)
  },
}

async function prepare(dir: string): Promise<void> {
  for (const name of removed) await rm(join(dir, name), { recursive: true, force: true })
  for (const folder of ['var/cache/apt', 'var/lib/apt/lists']) {
    for (const name of await readdir(join(dir, folder)).catch(() => [])) {
      await rm(join(dir, folder, name), { recursive: true, force: true })
    }
  }
  for (const name of directories) await mkdir(join(dir, name), { recursive: true, mode: 0o755 })
  for (const [name, content] of Object.entries(files)) {
    await rm(join(dir, name), { force: true })
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), content, { mode: 0o644 })
  }
  const units = join(dir, 'etc/systemd/system')
  for (const unit of masked) {
    await rm(join(units, unit), { force: true })
    await symlink('/dev/null', join(units, unit))
  }
  await rm(join(units, 'default.target'), { force: true })
  await symlink('/usr/lib/systemd/system/multi-user.target', join(units, 'default.target'))
}
