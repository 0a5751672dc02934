import { access, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../errors.ts'
import { type MemberFlags, memberFlags } from '../etcd/member-flags.ts'
import { podFile, renderEtcdPod } from '../etcd/static-pod.ts'
import type { EtcdName } from '../spec/types.ts'
import { command } from './command.ts'
import { folders } from './context.ts'
import { readIfThere, writeIfChanged } from './files.ts'

const foundingUnit = (etcd: EtcdName): string => `holdfast-found-${etcd}`
const unitFile = (etcd: EtcdName): string => `/run/systemd/transient/${foundingUnit(etcd)}.service`
const manifest = (etcd: EtcdName): string => join(folders.manifests, podFile(etcd))

/** How etcd runs here: decided by what is there, so that a restarted agent knows it too. */
export async function runningAs(etcd: EtcdName): Promise<'no' | 'founding' | 'pod'> {
  const isThere = await access(manifest(etcd)).then(
    () => true,
    () => false,
  )
  if (isThere) return 'pod'
  // systemd keeps a transient unit's file for as long as the unit is loaded: no process is needed to ask.
  const founding = await readIfThere(unitFile(etcd))
  return founding === undefined ? 'no' : 'founding'
}

/**
 * Founds: runs etcd once, by itself, until the cluster is recorded as formed. A static pod never
 * carries `--initial-cluster-state=new`, so no restart with a lost disk can found a second cluster.
 */
export async function startFounding(member: MemberFlags): Promise<void> {
  await command('systemd-run', [
    `--unit=${foundingUnit(member.etcd)}`,
    '--collect',
    '--quiet',
    '--property=LimitNOFILE=65536',
    // It ends before a collection of garbage would have paid.
    '--setenv=GOGC=off',
    // Told to end, a leader looks for a successor for seven seconds while all others end too. Whatever was
    // acknowledged is on the disk.
    '--property=KillSignal=SIGKILL',
    '/opt/holdfast/bin/etcd',
    ...memberFlags({ ...member, initialState: 'new' }),
    // Nothing is served yet, so a hasty election hurts nobody; the default takes one to two seconds.
    '--heartbeat-interval=20',
    '--election-timeout=200',
  ])
}

/** @throws HostCommandError when it does not end: two processes never share one data folder. */
export async function stopFounding(etcd: EtcdName): Promise<void> {
  if ((await readIfThere(unitFile(etcd))) === undefined) return
  await command('systemctl', ['stop', foundingUnit(etcd)], { timeoutMs: 30_000 })
}

/** Ends the founding process first: two processes never share one data folder. */
export async function startPod(member: MemberFlags, image: string, hostDataDir: string): Promise<void> {
  await stopFounding(member.etcd)
  const pod = renderEtcdPod({
    image,
    member: { ...member, initialState: 'existing' },
    hostDataDir,
    hostPkiDir: folders.etcdPki,
  })
  await writeIfChanged(manifest(member.etcd), pod)
}

/**
 * Takes the manifest away and waits for the real end, at most `timeoutMs`: a pod that crashes again and
 * again has no process in between, but its sandbox runs. kubelet ignores removed manifests until it has
 * seen an apiserver once, so it is restarted after half of that time.
 */
export async function stopEtcd(etcd: EtcdName, timeoutMs = 60_000): Promise<void> {
  await stopFounding(etcd)
  await rm(manifest(etcd), { force: true })
  const started = Date.now()
  let restarted = false
  while (await podRuns(etcd)) {
    const waited = Date.now() - started
    if (waited > timeoutMs) {
      throw new HoldfastError(
        'etcd-not-ended',
        `etcd ${etcd} still runs ${timeoutMs / 1000} s after its manifest was taken away`,
      )
    }
    if (!restarted && waited > timeoutMs / 2) {
      restarted = true
      await command('systemctl', ['restart', 'kubelet'])
    }
    await sleep(300)
  }
}

/** Whether any container of the member's pod runs, its sandbox included, as containerd sees it. */
async function podRuns(etcd: EtcdName): Promise<boolean> {
  const ctr = (...args: string[]): Promise<string> => command('ctr', ['--namespace', 'k8s.io', ...args])
  const words = (text: string): string[] => text.split('\n').filter((line) => line !== '')
  const name = `etcd-${etcd}-${hostname()}`
  const containers = words(
    await ctr('containers', 'list', '--quiet', `labels."io.kubernetes.pod.name"==${name}`),
  )
  if (containers.length === 0) return false
  const running = new Set(words(await ctr('tasks', 'list', '--quiet')))
  return containers.some((id) => running.has(id))
}
