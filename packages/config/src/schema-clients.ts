import { duration, flag, section, text, textList } from './setting.ts';

/** Tempo's names for the TLS of a client. */
const clientTls = () =>
  section({
    tls_enabled: flag(false, {
      about: 'Speaks TLS to the processes that are called; as their `server.grpc_tls` says.',
      why: 'Off: as `server.grpc_tls` is not set.',
    }),
    tls_cert_path: text('', {
      about: 'PEM file with the certificate that is shown to them, and its chain.',
      why: 'Not set: needed where `server.grpc_tls.client_ca_file` is set there.',
      type: 'a path',
    }),
    tls_key_path: text('', {
      about: 'PEM file with the private key of that certificate.',
      why: 'Not set: needed exactly when `tls_cert_path` is.',
      type: 'a path',
    }),
    tls_ca_path: text('', {
      about: 'PEM file with the authorities that may have signed their certificates.',
      why: 'Not set: those that the system trusts.',
      type: 'a path',
    }),
    tls_server_name: text('', {
      about: 'The name that their certificates have.',
      why: 'Not set: the name by which they were looked up or listed.',
      type: 'a host name',
      accept: /^[\w.-]+$/,
    }),
  });

const ADDRESS = /^(dns\+srv:\/\/[\w.-]+|(dns\+a:\/\/)?(\[[0-9a-fA-F:.]+\]|[\w.-]+):[1-9]\d{0,4})$/;

/** How distributors and queriers call ingesters. */
export const ingesterClient = section({
  addresses: textList({
    about:
      'The ingesters: `host:port`, `dns+a://name:port` for all addresses of a name, `dns+srv://name` for all hosts and ports of a service.',
    why: 'Empty: needed with the targets `distributor` and `querier`; in one process the call is direct.',
    type: 'a list of addresses',
    accept: ADDRESS,
  }),
  resolve_interval: duration('10s', {
    about: 'How often names in `addresses` are looked up again.',
    why: 'A new ingester gets its share soon after it is ready; one that is gone is noticed by the calls that fail.',
    minMs: 100,
    maxMs: 3_600_000,
  }),
  remote_timeout: duration('9s', {
    about:
      'How long an ingester may take for a call. One that is gone without a word is found out before, after five seconds at most, and another one is asked.',
    why: 'Its log says after 8 s that a bucket is too slow. With less, what a slow bucket takes in the end would be sent to a second ingester as well, and be stored twice. Exporters wait ten seconds by default.',
    minMs: 100,
    maxMs: 600_000,
  }),
  grpc_client_config: clientTls(),
});

/** How frontends call queriers. */
export const querierClient = section({
  addresses: textList({
    about: 'The queriers, as in `ingester_client.addresses`.',
    why: 'Empty: needed with the target `query-frontend`; in one process the call is direct.',
    type: 'a list of addresses',
    accept: ADDRESS,
  }),
  resolve_interval: duration('10s', {
    about: 'How often names in `addresses` are looked up again.',
    why: 'A new querier gets its share soon after it is ready; one that is gone is noticed by the calls that fail.',
    minMs: 100,
    maxMs: 3_600_000,
  }),
  grpc_client_config: clientTls(),
});
