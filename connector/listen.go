package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/postcall/postcall/connector/source"
)

// listeners are the webhook's and the operators' servers.
type listeners struct {
	hook, admin     net.Listener
	hookSrv, admSrv *http.Server
	failed          chan error
	keys            *keyPair // nil speaks plain HTTP
}

func (c *Connector) listen(hook http.Handler, adm *admin, set *source.Set) (*listeners, error) {
	l := &listeners{failed: make(chan error, 2)}
	var err error
	if l.hook, err = net.Listen("tcp", c.Config.HTTPAddr); err != nil {
		return nil, fmt.Errorf("listen for deliveries (POSTCALL_HTTP_ADDR): %w", err)
	}
	if l.admin, err = net.Listen("tcp", c.Config.AdminAddr); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for operators (POSTCALL_ADMIN_ADDR): %w", err), l.hook.Close())
	}
	log := slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)
	h := c.Config.HTTP
	l.hookSrv = &http.Server{
		Handler: hook, ReadHeaderTimeout: h.HeaderTimeout, ReadTimeout: h.HeaderTimeout + h.BodyTimeout,
		WriteTimeout: h.WriteTimeout, IdleTimeout: h.IdleTimeout, MaxHeaderBytes: 32 << 10, ErrorLog: log,
	}
	l.admSrv = &http.Server{
		Handler: adm.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 120 * time.Second, ErrorLog: log,
	}
	serve := l.hookSrv.Serve
	if h.CertPath != "" {
		keys := &keyPair{cert: h.CertPath, key: h.KeyPath}
		if err := keys.reload(); err != nil {
			return nil, errors.Join(err, l.hook.Close(), l.admin.Close())
		}
		l.hookSrv.TLSConfig = keys.config(set.WantsCertificates())
		l.keys = keys
		serve = func(ln net.Listener) error { return l.hookSrv.ServeTLS(ln, "", "") }
	}
	go func() { l.failed <- serveErr(serve(l.hook)) }()
	go func() { l.failed <- serveErr(l.admSrv.Serve(l.admin)) }()
	return l, nil
}

func serveErr(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop ends the webhook: deliveries under way are answered, no new one is taken.
func (l *listeners) stop(ctx context.Context) {
	if l.hookSrv.Shutdown(ctx) != nil {
		_ = l.hookSrv.Close()
	}
}

func (l *listeners) close() { _ = l.admSrv.Close() }
