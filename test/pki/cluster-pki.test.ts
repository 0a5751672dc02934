import { createPublicKey, sign, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { certificateInfo, verifyPair } from '../../src/pki/certificates.ts'
import { ensureClusterPki, readAuthorityCertificate } from '../../src/pki/cluster-pki.ts'
import { restrictStore } from '../../src/store/access.ts'
import { keys } from '../../src/store/keys.ts'
import { openMemoryStore } from '../../src/store/memory.ts'

const cluster = 'ha.example.com'

describe("a cluster's authorities", () => {
  test('are three, with the names that kubeadm gives, and a pair for service accounts', async () => {
    const pki = await ensureClusterPki(openMemoryStore(), cluster)

    for (const [pair, name] of [
      [pki.ca, 'kubernetes'],
      [pki.frontProxyCa, 'front-proxy-ca'],
      [pki.etcdCa, 'etcd-ca'],
    ] as const) {
      expect(certificateInfo(pair.certPem)).toMatchObject({ commonName: name, isCa: true })
      expect(verifyPair(pair.certPem, pair.keyPem)).toBe(true)
    }
    const text = Buffer.from('a token')
    const signature = sign('sha256', text, pki.serviceAccount.privatePem)
    expect(verify('sha256', text, createPublicKey(pki.serviceAccount.publicPem), signature)).toBe(true)
  })

  test('of six masters that race all end with the same', async () => {
    const store = openMemoryStore()
    const masters = Array.from({ length: 6 }, (_, i) =>
      restrictStore(store, { role: 'master', cluster, group: `master-${i}`, machineId: `m-${i}` }),
    )

    const found = await Promise.all(masters.map((master) => ensureClusterPki(master, cluster)))

    for (const pki of found) expect(pki).toEqual(found[0])
  })

  test('are the same next time, and a public copy that is missing comes back', async () => {
    const store = openMemoryStore()
    const first = await ensureClusterPki(store, cluster)
    await store.delete(keys.publicAuthority(cluster, 'ca'))

    expect(await ensureClusterPki(store, cluster)).toEqual(first)
    expect(await readAuthorityCertificate(store, cluster, 'ca')).toBe(first.ca.certPem)
  })

  test('no key is among what is public', async () => {
    const store = openMemoryStore()
    await ensureClusterPki(store, cluster)

    const texts = await Promise.all((await store.list(`${cluster}/pki/public/`)).map((key) => store.get(key)))
    expect(texts).toHaveLength(4)
    for (const text of texts) expect(text?.value).not.toContain('PRIVATE')
  })

  test('a pair that does not match is refused and left alone', async () => {
    const store = openMemoryStore()
    const { ca, etcdCa } = await ensureClusterPki(store, cluster)
    const key = keys.privateAuthority(cluster, 'ca')
    const mixed = ca.certPem + etcdCa.keyPem
    await store.put(key, mixed)

    await expect(ensureClusterPki(store, cluster)).rejects.toMatchObject({ code: 'pki-damaged' })
    expect((await store.get(key))?.value).toBe(mixed)
  })
})
