import { HoldfastError } from '../../errors.ts'
import type { CloudStep } from '../cloud.ts'
import { type ApiHandler, notFound } from './api-server.ts'
import type { Daemon } from './daemon.ts'
import type { PowerOptions } from './daemon-power.ts'
import type { StepContext } from './daemon-steps.ts'

export interface DaemonStatus {
  pid: number
  version: string
  clusters: number
}

export interface OperatorCalls {
  daemon: Daemon
  version: string
  /** Ends the process once the answer is on its way; with `ifEmpty` only when it has nothing to look after. */
  stop(options: { ifEmpty: boolean }): boolean
  /** Somebody is there. */
  used(): void
}

/** Body of `POST /clusters/NAME/steps`. */
export interface StepRequest {
  step: CloudStep
  context: StepContext
}

/** Body of `POST /machines/ID/power`. */
export interface PowerRequest {
  action: 'kill' | 'reboot'
  options?: PowerOptions
}

/** The API on HOME/local/cloud.sock, which only the home's owner can reach. `cloud.ts` is its client. */
export function operatorApi({ daemon, version, stop, used }: OperatorCalls): ApiHandler {
  return async (request) => {
    used()
    const { method, parts, body } = request
    const [kind = '', name = '', verb = ''] = parts
    switch (`${method} ${kind}/${verb}`) {
      case 'GET status/':
        return { pid: process.pid, version, clusters: daemon.clusters().length } satisfies DaemonStatus
      case 'GET clusters/':
        return name === '' ? daemon.clusters() : await daemon.observe(name)
      case 'GET clusters/endpoint-targets':
        return await daemon.endpointTargets(name)
      case 'POST clusters/steps': {
        const { step, context } = body as StepRequest
        if (!step?.action || !context?.storeUrl)
          throw new HoldfastError('bad-request', 'A step needs an action and a store')
        await daemon.carryOut(name, step, context)
        return { clusters: daemon.clusters().length }
      }
      case 'POST clusters/refresh-network':
        return await daemon.refresh(name, (body as { storeUrl: string }).storeUrl)
      case 'GET machines/':
        return daemon.machine(name)
      case 'POST machines/power': {
        const { action, options } = body as PowerRequest
        await daemon.power(name, action, options)
        return undefined
      }
      case 'POST machines/release-volumes':
        return await daemon.releaseVolumes(name)
      case 'POST stop/':
        return { stops: stop({ ifEmpty: (body as { ifEmpty?: boolean } | undefined)?.ifEmpty === true }) }
      default:
        throw notFound(request)
    }
  }
}
