import { kubernetes } from '../constants.ts'
import { andList } from './nearest.ts'

/** `v1.36.3` and `1.36.3` are the same version; declarations hold the second form. */
export const withoutV = (version: string): string => version.replace(/^v(?=\d)/, '')

const parts = (version: string): [number, number, number] => {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return [major, minor, patch]
}

const compare = (a: string, b: string): number => {
  const left = parts(a)
  const right = parts(b)
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
}

/** What is wrong with the version, with a remedy; undefined when it is supported. */
export function versionFault(
  version: string,
  supported: readonly string[] = kubernetes.supportedVersions,
): { message: string; remedy: string } | undefined {
  const wanted = withoutV(version)
  if (supported.includes(wanted)) return undefined
  const sorted = [...supported].sort(compare)
  const oldest = sorted[0] ?? kubernetes.defaultVersion
  const newest = sorted.at(-1) ?? kubernetes.defaultVersion
  const remedy = `Use ${sorted.length > 1 ? `one of ${andList(sorted)}` : newest}.`
  const minor = /^\d+\.\d+$/.test(wanted)
  if (!minor && !/^\d+\.\d+\.\d+$/.test(wanted))
    return { message: `"${version}" is not a version of Kubernetes`, remedy }
  const isOld = minor ? compare(`${wanted}.99999`, oldest) < 0 : compare(wanted, oldest) < 0
  const isNew = compare(wanted, newest) > 0
  if (isOld) return { message: `Kubernetes ${wanted} is too old; the oldest supported is ${oldest}`, remedy }
  if (isNew) return { message: `Kubernetes ${wanted} is too new; the newest supported is ${newest}`, remedy }
  if (minor) return { message: `${wanted} is not a whole version: the last number is missing`, remedy }
  return { message: `Kubernetes ${wanted} is not among the supported versions`, remedy }
}
