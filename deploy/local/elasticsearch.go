package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// nobody is the user that Elasticsearch runs as when we are root: it refuses uid 0.
const nobody = 65534

// elasticJVM are the JVM options that have nothing to do with size.
const elasticJVM = `-XX:-HeapDumpOnOutOfMemoryError
-XX:+ExitOnOutOfMemoryError
-XX:ErrorFile=logs/hs_err_pid%p.log
-Djava.io.tmpdir=${ES_TMPDIR}
-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1
`

// elasticLog sends everything of weight to the one log file of the engine.
const elasticLog = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.node.name = org.elasticsearch.node.Node
logger.node.level = info
`

// elasticConfig is elasticsearch.yml: one node on loopback, no security, and no refusal to write on a full
// developer's disk.
const elasticConfig = `cluster.name: postcall-local
node.name: local
discovery.type: single-node
network.host: 127.0.0.1
http.port: %d
transport.port: %d
path.data: %s
path.logs: %s
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
`

// elasticsearch describes one node: its home, its folder and its port. The launcher is a small JVM that starts the
// server as its child. The launcher dies with us, and the server ends by itself when the launcher's pipe to it closes.
// That holds for a frozen server too: the two are a process group of their own in our session, and the kernel wakes
// the stopped members of a group whose last link to the session has died.
func elasticsearch(c cache, data string, port int, bench bool) (*server, error) {
	home := c.elasticHome()
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	dir, err := c.elasticData(data)
	if err != nil {
		return nil, err
	}
	transport, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := elasticFiles(dir, port, transport); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	e := &server{
		name: "elasticsearch", addr: fmt.Sprintf("127.0.0.1:%d", port), dir: dir,
		stop:    syscall.SIGTERM,
		exports: []string{"POSTCALL_ELASTICSEARCH_URL=" + url},
		healthy: func(ctx context.Context) error {
			return getOK(ctx, url+"/_cluster/health?wait_for_status=yellow&timeout=1s")
		},
	}
	e.argv = []string{
		java, "-Xms4m", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dcli.name=server", "-Dcli.script=" + filepath.Join(home, "bin", "elasticsearch"), "-Dcli.libs=lib/tools/server-cli",
		"-Des.path.home=" + home, "-Des.path.conf=" + filepath.Join(dir, "config"),
		"-Des.distribution.type=zip", "-Des.java.type=JAVA_HOME",
		"-cp", filepath.Join(home, "lib", "*") + ":" + filepath.Join(home, "lib", "cli-launcher", "*"),
		"org.elasticsearch.launcher.CliToolLauncher",
	}
	e.workdir = home
	e.env = []string{
		"PATH=" + os.Getenv("PATH"), "JAVA_HOME=" + os.Getenv("JAVA_HOME"), "HOME=" + dir,
		"ES_TMPDIR=" + filepath.Join(dir, "tmp"), "LIBFFI_TMPDIR=" + filepath.Join(dir, "tmp"), "ES_JAVA_OPTS=" + heap(bench),
	}
	e.unprivileged = os.Geteuid() == 0
	return e, nil
}

// heap is small and quick to start for tests, and fit to be measured for benchmarks.
func heap(bench bool) string {
	if bench {
		return "-Xms1g -Xmx1g -XX:+UseG1GC"
	}
	return "-Xms256m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
}

// elasticFiles writes the configuration into dir and hands dir to the user that the node runs as.
func elasticFiles(dir string, port, transport int) error {
	for _, sub := range []string{"config", "config/jvm.options.d", "data", "logs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"elasticsearch.yml": fmt.Sprintf(elasticConfig, port, transport, filepath.Join(dir, "data"), filepath.Join(dir, "logs")),
		"jvm.options":       elasticJVM,
		"log4j2.properties": elasticLog,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "config", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
}
