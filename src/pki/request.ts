/** What a PKCS#10 request in PEM asks for. @throws Error when it is no such request. */
export async function requestedNames(
  pem: string,
): Promise<{ commonName: string; dnsNames: string[]; ipAddresses: string[] }> {
  await import('reflect-metadata')
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import('@peculiar/x509')
  const request = new Pkcs10CertificateRequest(pem)
  const names =
    request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension)?.names.items ?? []
  const of = (type: string): string[] => names.filter((name) => name.type === type).map((name) => name.value)
  return {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    dnsNames: of('dns'),
    ipAddresses: of('ip'),
  }
}
