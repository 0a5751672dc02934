import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../errors.ts'
import { command } from './command.ts'
import { folders } from './context.ts'

const lookEveryMs = 300

/** Where kubelet finds the manifest of a static pod of this machine. */
export const manifestOf = (pod: string): string => join(folders.manifests, `${pod}.yaml`)

/**
 * Takes the manifest away and waits for the real end, at most `timeoutMs`: a pod that crashes again and
 * again has no process in between, but its sandbox runs. kubelet ignores removed manifests until it has seen an
 * apiserver once, so after half of that time it is restarted, and what runs is killed; with `kill`, at once.
 * @throws HoldfastError `static-pod-not-ended`
 */
export async function endStaticPod(
  pod: string,
  { timeoutMs = 60_000, kill = false }: { timeoutMs?: number; kill?: boolean } = {},
): Promise<void> {
  await rm(manifestOf(pod), { force: true })
  const started = performance.now()
  let restarted = false
  for (;;) {
    const running = await runningContainers(pod)
    if (running.length === 0) return
    const waited = performance.now() - started
    if (waited > timeoutMs) {
      throw new HoldfastError(
        'static-pod-not-ended',
        `${pod} still runs ${timeoutMs / 1000} s after its manifest was taken away`,
      )
    }
    if (!restarted && waited > timeoutMs / 2) {
      restarted = true
      await command('systemctl', ['restart', 'kubelet'])
    }
    // The new kubelet knows nothing of the pod, and ends nothing before it has seen an apiserver.
    if (kill || restarted) await killTasks(running)
    await sleep(lookEveryMs)
  }
}

async function killTasks(ids: readonly string[]): Promise<void> {
  // One that has ended since needs no signal.
  for (const id of ids) await ctr('tasks', 'kill', '--signal', 'SIGKILL', id).catch(() => {})
}

/** The pod's containers that run, its sandbox included, as containerd sees it. */
async function runningContainers(pod: string): Promise<string[]> {
  const label = `labels."io.kubernetes.pod.name"==${pod}-${hostname()}`
  const containers = words(await ctr('containers', 'list', '--quiet', label))
  if (containers.length === 0) return []
  const running = new Set(words(await ctr('tasks', 'list', '--quiet')))
  return containers.filter((id) => running.has(id))
}

const ctr = (...args: string[]): Promise<string> => command('ctr', ['--namespace', 'k8s.io', ...args])
const words = (text: string): string[] => text.split('\n').filter((line) => line !== '')
