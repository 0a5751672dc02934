import { createPublicKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'

/** Keys that sign and check service account tokens: kubeadm's sa.key and sa.pub. */
export interface ServiceAccountKeys {
  /** PKCS#1. */
  privatePem: string
  publicPem: string
}

/** RSA 2048, as kubeadm makes them. */
export async function createServiceAccountKeys(): Promise<ServiceAccountKeys> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const privatePem = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()
  return { privatePem, publicPem: publicPemOf(privatePem) }
}

export const publicPemOf = (privatePem: string): string =>
  createPublicKey(privatePem).export({ format: 'pem', type: 'spki' }).toString()
