"""A git server with passwords, as much of one as a clone needs: git http-backend below loopback.

usage: git-server.py REPOSITORIES PASSWORD PORT REFUSED ROUNDS

All but the first are files: with the one password of the user gitlab-ci-token; for the port that
it gets; for requests with any other name or password; and with the sampler's count, of which two
more rounds pass before a request is answered, so that whoever waits for the answer was looked at.
"""

import base64
import http.server
import os
import socketserver
import subprocess
import sys
import time

repositories, password, port, refused, rounds = sys.argv[1:]


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


EXPECTED = "Basic " + base64.b64encode(b"gitlab-ci-token:" + read(password).encode()).decode()


def wait_for_sampler():
    start = int(read(rounds) or 0)
    for _ in range(3000):
        if int(read(rounds) or 0) >= start + 2:
            return
        time.sleep(0.01)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        size = -1
        while size != 0:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def backend(self, body):
        path, _, query = self.path.partition("?")
        environment = dict(
            os.environ,
            GIT_PROJECT_ROOT=repositories,
            GIT_HTTP_EXPORT_ALL="1",
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
            REQUEST_METHOD=self.command,
            REMOTE_USER="gitlab-ci-token",
            PATH_INFO=path,
            QUERY_STRING=query,
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
        )
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        return [line.split(": ", 1) for line in head.decode().split("\r\n")], content

    def serve(self):
        body = self.body()
        given = self.headers.get("Authorization")
        if given != EXPECTED:
            if given is not None:
                with open(refused, "a", encoding="ascii") as file:
                    print(given, file=file)
            self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        wait_for_sampler()
        headers, content = self.backend(body)
        status = [int(value.split()[0]) for name, value in headers if name == "Status"]
        self.answer(
            status[0] if status else 200, [each for each in headers if each[0] != "Status"], content
        )

    do_GET = do_POST = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
with open(port + ".new", "w", encoding="ascii") as file:
    print(server.server_port, file=file)
os.rename(port + ".new", port)
server.serve_forever()
