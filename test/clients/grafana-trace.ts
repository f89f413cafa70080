/** The strict imitation of Grafana's trace lookup, kept beside the API whose answers it judges. */
export { fetchTraceAsGrafana } from '@vivace/api/testing';
