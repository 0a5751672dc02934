import type { Cloud, Volume } from '../clouds/cloud.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Report } from '../events.ts'
import { nowMs, sleep } from './clock.ts'

const retryMs = 50

/**
 * Deletes the volumes of a machine that was just killed, as soon as they are detached and before its
 * successor attaches them; its agent then asks for new, empty ones.
 * @throws HoldfastError `volumes-not-lost` when one is still there after `timeoutMs`.
 */
export async function loseVolumes(
  cloud: Cloud,
  cluster: string,
  volumes: readonly Volume[],
  report: Report,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = nowMs() + timeoutMs
  await Promise.all(
    volumes.map(async (volume) => {
      const step = {
        where: volume.id,
        reason: 'the drill loses the volumes together with their machine',
        action: 'delete-volume',
        volume: volume.id,
      } as const
      for (;;) {
        try {
          return await cloud.carryOut(cluster, step, report)
        } catch (error) {
          if (nowMs() + retryMs <= deadline) await sleep(retryMs)
          else {
            throw new HoldfastError(
              'volumes-not-lost',
              `${volume.id} could not be deleted: ${messageOf(error)}`,
              {
                remedy: 'Its successor was faster in attaching it: run the drill again.',
                cause: error,
              },
            )
          }
        }
      }
    }),
  )
}
