import type { Problem } from '../errors.ts'
import type { Declaration } from './types.ts'
import { cloudProblems } from './validate-cloud.ts'
import { clusterProblems } from './validate-cluster.ts'
import { groupProblems } from './validate-groups.ts'
import { masterProblems } from './validate-masters.ts'
import { type HostRoute, rangeProblems } from './validate-ranges.ts'

/** What the declaration meets on the machine that will hold it. */
export interface Circumstances {
  /** Without the default route, and without the devices of the cluster itself. */
  hostRoutes?: readonly HostRoute[]
}

export const routesOf = ({ hostRoutes = [] }: Circumstances): string[] => hostRoutes.map(({ cidr }) => cidr)

/**
 * Everything that is wrong with a declaration, at once. Pure. Paths begin with `cluster` or
 * `groups[i]`. Errors with `blocks: 'update'` leave it declarable.
 */
export function validateDeclaration(declaration: Declaration, circumstances: Circumstances = {}): Problem[] {
  return [
    ...clusterProblems(declaration),
    ...rangeProblems(declaration, circumstances.hostRoutes ?? []),
    ...groupProblems(declaration),
    ...masterProblems(declaration),
    ...cloudProblems(declaration),
  ]
}

/** Refused at once; refused by `update cluster --yes` only; only told. */
export interface SortedProblems {
  errors: Problem[]
  blockers: Problem[]
  warnings: Problem[]
}

export const sortProblems = (problems: readonly Problem[]): SortedProblems => ({
  errors: problems.filter((problem) => problem.severity === 'error' && problem.blocks !== 'update'),
  blockers: problems.filter((problem) => problem.severity === 'error' && problem.blocks === 'update'),
  warnings: problems.filter((problem) => problem.severity === 'warning'),
})
