package transforms

import (
	"errors"
	"fmt"
)

// What can become of a call to a plugin, besides an answer and an ordinary error. In each case nothing of the batch is
// decided. After ErrPluginGone and ErrPluginTimeout the next call starts the plugin anew.
var (
	// ErrPluginGone means that the plugin's process could not be started, or died during the call.
	ErrPluginGone = errors.New("the plugin is not running")
	// ErrPluginTimeout means that the plugin did not answer within Spec.Timeout and was killed.
	ErrPluginTimeout = errors.New("the plugin did not answer in time")
	// ErrPluginMemory means that the plugin needed more than Spec.Memory and was killed; ErrPluginGone too.
	ErrPluginMemory = errors.New("the plugin needed more memory than it may have and was killed")
	// ErrContract means that the plugin's answer breaks the contract of Transformer; it is permanent.
	ErrContract = errors.New("the plugin breaks the contract")
	// ErrNotLocked means that the plugin on disk is not the one of Spec.SHA256, so that it was not started; ErrPluginGone too.
	ErrNotLocked = errors.New("the plugin is not the one that was locked")
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("the plugin is closed")
)

// Permanent marks err as one that the batch itself causes: the same batch will fail again. The caller halves the batch
// until it finds the event and holds that one back. A nil err stays nil. The mark survives the way from a plugin to the host.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or an error it wraps, is marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// contractError names the plugin, the event and the rule that its answer breaks.
func contractError(plugin, callID, rule string) error {
	return Permanent(fmt.Errorf("plugin %s: %w: call %q: %s", plugin, ErrContract, callID, rule))
}
