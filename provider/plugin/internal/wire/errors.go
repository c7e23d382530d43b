package wire

import (
	"errors"

	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// encodeError makes an error data: a *provider.ConfigError with its faults, everything else as provider.AsError
// sees it.
func encodeError(err error) *pb.Error {
	var config *provider.ConfigError
	if errors.As(err, &config) {
		return &pb.Error{
			Code:    string(provider.CodeInvalid),
			Message: freeText(config.Error()),
			ConfigFaults: each(config.Faults, func(f provider.ConfigFault) *pb.ConfigFault {
				return &pb.ConfigFault{Name: f.Name, Message: freeText(f.Message)}
			}),
		}
	}
	e := provider.AsError(err)
	return &pb.Error{
		Code:         string(e.Code),
		Message:      freeText(e.Message),
		Field:        e.Field,
		ProviderCode: freeText(e.ProviderCode),
		Reference:    e.Reference,
		NoResend:     e.NoResend,
	}
}

// decodeError is encodeError's inverse. A code that is not of the closed list becomes CodeUnknown.
func decodeError(m *pb.Error) error {
	if faults := m.GetConfigFaults(); len(faults) > 0 {
		return &provider.ConfigError{Faults: each(faults, func(f *pb.ConfigFault) provider.ConfigFault {
			return provider.ConfigFault{Name: f.GetName(), Message: f.GetMessage()}
		})}
	}
	return provider.AsError(&provider.Error{
		Code:         provider.Code(m.GetCode()),
		Message:      m.GetMessage(),
		Field:        m.GetField(),
		ProviderCode: m.GetProviderCode(),
		Reference:    m.GetReference(),
		NoResend:     m.GetNoResend(),
	})
}
