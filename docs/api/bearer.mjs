// Passes requests on to a server with a token in them, for clients that can't send one:
//   CALLS_TOKEN=TOKEN node docs/api/bearer.mjs URL
// It prints the address it listens on, on loopback alone.
import http from "node:http";

const to = new URL(process.argv[2]);
const server = http.createServer((req, res) => {
  const headers = { ...req.headers, authorization: `Bearer ${process.env.CALLS_TOKEN}` };
  const out = http.request({ host: to.hostname, port: to.port, method: req.method, path: req.url, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  out.on("error", (err) => res.destroy(err));
  req.pipe(out);
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
