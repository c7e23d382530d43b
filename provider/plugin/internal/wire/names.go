package wire

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// requestName is the name of what a call asks, as in the .proto: "submit".
func requestName(call *pb.Call) string { return oneofName(call, "request") }

// resultName is the name of what an answer answers; the same as its request's.
func resultName(a *pb.Answer) string { return oneofName(a, "result") }

func oneofName(m proto.Message, oneof protoreflect.Name) string {
	r := m.ProtoReflect()
	if f := r.WhichOneof(r.Descriptor().Oneofs().ByName(oneof)); f != nil {
		return string(f.Name())
	}
	return "nothing known"
}
