import { text } from 'node:stream/consumers'
import { type CertificatePair, type CertificateRequest, issueCertificate } from '../pki/certificates.ts'
import { requestedNames } from '../pki/request.ts'
import { command } from './command.ts'

/**
 * The library for certificates takes 25 MB for as long as a process lives, and is needed for a moment:
 * the agent starts itself once more for it. Keys go through pipes, never through arguments.
 */
type Question = { issue: readonly CertificateRequest[]; authority: CertificatePair } | { namesOf: string }

const ask = async <T>(question: Question): Promise<T> =>
  JSON.parse(
    await command(process.execPath, [process.argv[1] ?? '', 'certificates'], {
      input: JSON.stringify(question),
      timeoutMs: 30_000,
    }),
  ) as T

export const issueApart = (
  authority: CertificatePair,
  issue: readonly CertificateRequest[],
): Promise<CertificatePair[]> => ask({ issue, authority })

export const requestedNamesApart = (pem: string): ReturnType<typeof requestedNames> => ask({ namesOf: pem })

/** The other side: one question on standard input, one answer on standard output. */
export async function answerCertificates(): Promise<void> {
  const question = JSON.parse(await text(process.stdin)) as Question
  const answer =
    'issue' in question
      ? await Promise.all(question.issue.map((request) => issueCertificate(question.authority, request)))
      : await requestedNames(question.namesOf)
  process.stdout.write(JSON.stringify(answer))
}
