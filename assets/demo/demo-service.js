// The service as this page reaches it: its address, which may have a path, and requests to it.

// base ends with a slash.
export const base = new URL('.', location.href).href;

// The service's clock less ours, in milliseconds: ages are told by the service's.
let skew = 0;
export const now = () => Date.now() + skew;

// ask returns the status of a response and its JSON, {} when it has none. It never throws: without a response the status is 0.
export async function ask(path, {method = 'GET', key, body} = {}) {
  if (key && !/^[!-~]+$/.test(key)) return {status: 401, data: {detail: 'Bad or missing API key'}};   // no header can carry it
  const headers = {Accept: 'application/json'};   // also when it is a problem
  if (key) headers.Authorization = 'Bearer ' + key;
  if (body) headers['Content-Type'] = 'application/json';
  try {
    const response = await fetch(base + path, {method, headers, body: body && JSON.stringify(body)});
    skew = Date.parse(response.headers.get('date')) - Date.now() || skew;
    return {status: response.status, data: await response.json().catch(() => ({}))};
  } catch {
    return {status: 0, data: {}};
  }
}

// trouble says in words why a request failed.
export function trouble({status, data}) {
  if (!status) return 'No answer from the service.';
  return (data.field ? data.field + ': ' : '') + (data.detail || data.title || `The service answered with status ${status}.`);
}
