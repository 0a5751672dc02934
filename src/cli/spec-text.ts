import { stringify } from 'yaml'
import type { ClusterSpec, InstanceGroupSpec } from '../spec/types.ts'

/** Documents as one YAML text, ready for `create -f` and `replace -f`. */
export const specText = (documents: readonly (ClusterSpec | InstanceGroupSpec)[]): string =>
  documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n')
