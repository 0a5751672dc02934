import { HoldfastError } from '../errors.ts'
import type { StateStore } from './store.ts'

/**
 * Opens the store that a user named with `--state` or HOLDFAST_STATE_STORE. Nothing is made or
 * read yet, except that `checkWritable` proves that it can be used.
 * @throws HoldfastError `store-url-invalid`, `store-kind-unsupported`.
 */
export async function openStore(url: string): Promise<StateStore> {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw badUrl(url, 'it is no URL')
  }
  if (parsed.protocol === 's3:') {
    throw new HoldfastError('store-kind-unsupported', `${url}: stores in S3 are not there yet`, {
      remedy: 'Use a folder for now: --state file:///some/folder',
      exitCode: 2,
    })
  }
  if (parsed.protocol !== 'file:') throw badUrl(url, `"${parsed.protocol}" is not known`)
  if (parsed.host !== '') throw badUrl(url, `it names a host ("${parsed.host}"), so a "/" is missing`)
  if (parsed.search || parsed.hash) throw badUrl(url, 'it has a query or a fragment')
  if (parsed.pathname === '/' || parsed.pathname === '') throw badUrl(url, 'it names no folder')
  const { openFileStore } = await import('./file.ts')
  return openFileStore(parsed.href)
}

/**
 * Proves by a write that the store can be used, before anything is changed elsewhere.
 * @throws StoreUnavailableError with the reason.
 */
export async function checkWritable(store: StateStore): Promise<void> {
  const key = 'probe/writable'
  await store.put(key, '')
  await store.delete(key)
}

const badUrl = (url: string, reason: string) =>
  new HoldfastError('store-url-invalid', `${JSON.stringify(url)} cannot be a state store: ${reason}`, {
    remedy: 'Name a folder like this: --state file:///var/lib/holdfast/store',
    exitCode: 2,
  })
