package wire

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// Client is the host's end: it makes the calls of many goroutines over one stream. When the stream ends the
// client is of no more use.
type Client struct {
	stream  pb.Provider_ExchangeClient
	timeout time.Duration
	cancel  context.CancelFunc
	// out is unbuffered: a request that was taken from it may reach the plugin, one that was not never will.
	out  chan *grpc.PreparedMsg
	done chan struct{} // closed when the stream has ended, after err is set
	err  error

	mu      sync.Mutex
	lastID  uint64
	pending map[uint64]chan *pb.Answer
}

// DialOptions returns the options that a connection to a plugin needs: the caps on messages.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage))}
}

// Open opens the stream. timeout bounds one call where its context does not bound it closer; 0 = DefaultTimeout.
// ctx bounds the opening alone.
func Open(ctx context.Context, conn grpc.ClientConnInterface, timeout time.Duration) (*Client, error) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	stream, err := pb.NewProviderClient(conn).Exchange(streamCtx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c := &Client{
		stream: stream, timeout: timeout, cancel: cancel,
		out: make(chan *grpc.PreparedMsg), done: make(chan struct{}), pending: map[uint64]chan *pb.Answer{},
	}
	go c.read()
	go c.write()
	return c, nil
}

// Done is closed when the stream has ended; Err then tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the stream ended. It may be called once Done is closed.
func (c *Client) Err() error { return c.err }

// Close ends the stream. Calls under way end with CodeUnknown.
func (c *Client) Close() {
	c.cancel()
	<-c.done
}

// read hands each answer to the call that waits for it. Answers nobody waits for (late, repeated or invented)
// are dropped.
func (c *Client) read() {
	for {
		a, err := c.stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the plugin ended the stream")
			}
			c.err = err
			c.cancel()
			close(c.done)
			return
		}
		c.mu.Lock()
		answer := c.pending[a.GetId()]
		delete(c.pending, a.GetId())
		c.mu.Unlock()
		if answer != nil {
			answer <- a
		}
	}
}

// write sends the requests of all callers: a stream takes one sender at a time.
func (c *Client) write() {
	for {
		select {
		case m := <-c.out:
			if c.stream.SendMsg(m) != nil {
				return // read learns why
			}
		case <-c.done:
			return
		}
	}
}

// Call makes one call and waits for its answer, which may be an error that the plugin gave. Call itself fails
// with a *provider.Error: CodeInvalid where the request cannot be sent as it is, CodeUnavailable where it
// certainly did not reach the plugin, CodeUnknown where it may have.
func (c *Client) Call(ctx context.Context, call *pb.Call) (*pb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil, provider.Errorf(provider.CodeUnavailable,
			"the plugin was not asked to %s: %w", requestName(call), context.Cause(ctx))
	}
	answer := make(chan *pb.Answer, 1)
	c.mu.Lock()
	c.lastID++
	call.Id = c.lastID
	c.pending[call.Id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, call.Id)
		c.mu.Unlock()
	}()

	deadline, _ := ctx.Deadline()
	call.TimeoutMs = uint64(max(time.Until(deadline).Milliseconds(), 1))
	if size := proto.Size(call); size > MaxMessage {
		return nil, provider.Errorf(provider.CodeInvalid,
			"the request is too large for a plugin: %d bytes, at most %d", size, MaxMessage)
	}
	m := &grpc.PreparedMsg{}
	if err := m.Encode(c.stream, call); err != nil {
		return nil, provider.Errorf(provider.CodeInvalid, "the request cannot be sent to a plugin: %w", err)
	}
	select {
	case c.out <- m:
	case <-c.done:
		return nil, &provider.Error{
			Code: provider.CodeUnavailable, Message: "the plugin stopped before it was asked to " + requestName(call), Err: provider.ErrNotRunning,
		}
	case <-ctx.Done():
		return nil, provider.Errorf(provider.CodeUnavailable,
			"the plugin did not take the request to %s in time: %w", requestName(call), context.Cause(ctx))
	}
	return c.wait(ctx, call, answer)
}

// wait waits for the answer to a request that was sent. At the call's end it tells the plugin to stop, and gives
// it a moment to answer for itself.
func (c *Client) wait(ctx context.Context, call *pb.Call, answer chan *pb.Answer) (*pb.Answer, error) {
	select {
	case a := <-answer:
		return a, nil
	case <-c.done:
		return c.lastWord(call, answer)
	case <-ctx.Done():
	}
	cancel := &grpc.PreparedMsg{}
	out := c.out
	if cancel.Encode(c.stream, &pb.Call{Id: call.GetId(), Request: &pb.Call_Cancel{Cancel: &pb.Cancel{}}}) != nil {
		out = nil
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	for {
		select {
		case out <- cancel:
			out = nil
		case a := <-answer:
			return a, nil
		case <-c.done:
			return c.lastWord(call, answer)
		case <-late.C:
			return nil, provider.Errorf(provider.CodeUnknown,
				"the plugin gave no answer to %s in time: %w", requestName(call), context.Cause(ctx))
		}
	}
}

// lastWord returns the answer that came just before the stream ended, if it did.
func (c *Client) lastWord(call *pb.Call, answer chan *pb.Answer) (*pb.Answer, error) {
	select {
	case a := <-answer:
		return a, nil
	default:
		return nil, provider.Errorf(provider.CodeUnknown, "the plugin stopped before it answered %s: %w", requestName(call), c.err)
	}
}
