import type { KubeObject } from '../controlplane/api.ts'

/** The parts of Kubernetes' objects that the checks look at. */
export interface Node extends KubeObject {
  spec?: { taints?: { key: string; effect: string }[] }
  status?: { conditions?: Condition[] }
}

export interface Pod extends KubeObject {
  spec?: { nodeName?: string }
  status?: { phase?: string; conditions?: Condition[] }
}

export interface Deployment extends KubeObject {
  spec?: { replicas?: number }
  status?: { conditions?: Condition[]; availableReplicas?: number }
}

export interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
}

export const condition = (
  object: { status?: { conditions?: Condition[] } } | undefined,
  type: string,
): Condition | undefined => object?.status?.conditions?.find((candidate) => candidate.type === type)

export const isTrue = (
  object: { status?: { conditions?: Condition[] } } | undefined,
  type: string,
): boolean => condition(object, type)?.status === 'True'
