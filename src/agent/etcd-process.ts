import { access } from 'node:fs/promises'
import { type MemberFlags, memberFlags } from '../etcd/member-flags.ts'
import { podName, renderEtcdPod } from '../etcd/static-pod.ts'
import type { EtcdName } from '../spec/types.ts'
import { command } from './command.ts'
import { folders } from './context.ts'
import { readIfThere, writeIfChanged } from './files.ts'
import { endStaticPod, manifestOf } from './static-pod.ts'

const foundingUnit = (etcd: EtcdName): string => `holdfast-found-${etcd}`
const unitFile = (etcd: EtcdName): string => `/run/systemd/transient/${foundingUnit(etcd)}.service`
const manifest = (etcd: EtcdName): string => manifestOf(podName(etcd))

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
 * Ends the member and, before `main`, the apiserver beside it: without its etcd that answers nothing for a
 * minute at a time, kubelet asks it before it starts or forgets any static pod, and so etcd would wait for itself.
 * @throws HoldfastError `static-pod-not-ended`
 */
export async function stopEtcd(etcd: EtcdName): Promise<void> {
  await stopFounding(etcd)
  if (etcd === 'main') await endStaticPod('kube-apiserver', { kill: true })
  await endStaticPod(podName(etcd))
}
