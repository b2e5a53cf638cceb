package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// listeners are the webhook's and the operators' servers.
type listeners struct {
	hook, admin     net.Listener
	hookSrv, admSrv *http.Server
	failed          chan error
}

func (c *Connector) listen(hook http.Handler, adm *admin) (*listeners, error) {
	l := &listeners{failed: make(chan error, 2)}
	var err error
	if l.hook, err = net.Listen("tcp", c.Config.HTTPAddr); err != nil {
		return nil, fmt.Errorf("listen for deliveries (POSTCALL_HTTP_ADDR): %w", err)
	}
	if l.admin, err = net.Listen("tcp", c.Config.AdminAddr); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for operators (POSTCALL_ADMIN_ADDR): %w", err), l.hook.Close())
	}
	log := slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)
	l.hookSrv = &http.Server{
		Handler: hook, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 120 * time.Second, MaxHeaderBytes: 32 << 10, ErrorLog: log,
	}
	l.admSrv = &http.Server{
		Handler: adm.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 120 * time.Second, ErrorLog: log,
	}
	go func() { l.failed <- serveErr(l.hookSrv.Serve(l.hook)) }()
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
