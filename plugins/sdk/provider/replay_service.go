package provider

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// exchangeService is the optional half of the contract: it shows what passed, and rehearses it.
type exchangeService struct {
	providerv1.UnimplementedExchangeServiceServer

	service  *service
	recorder *recorder
	stage    *stage // nil in a process that serves payments
}

// Exchanges streams what is recorded.
func (s *exchangeService) Exchanges(_ *providerv1.ExchangesRequest, stream grpc.ServerStreamingServer[providerv1.ExchangesResponse]) error {
	if s.stage != nil {
		return status.Error(codes.FailedPrecondition, "this process is for rehearsals")
	}
	return s.recorder.stream(stream.Context(), stream.Send)
}

// Rehearse makes a recorded call again, without the network.
func (s *exchangeService) Rehearse(ctx context.Context, r *providerv1.RehearseRequest) (*providerv1.RehearseResponse, error) {
	if s.stage == nil {
		return nil, status.Error(codes.FailedPrecondition, "this process serves payments and rehearses nothing")
	}
	call, _ := proto.Clone(r.GetExchange().GetCall()).(*providerv1.ExchangeCall)
	head, _ := headOf(call)
	if head == nil {
		return nil, status.Error(codes.InvalidArgument, "the recording has no call that this plugin knows")
	}
	s.stage.turn.Lock()
	defer s.stage.turn.Unlock()
	head.CredentialJson = s.stage.keys.fill(head.GetCredentialJson())
	s.stage.begin(r.GetExchange())
	reply := s.play(ctx, call)
	played := s.stage.end()
	out := &providerv1.Exchange{At: timestamppb.New(r.GetExchange().GetAt().AsTime()), Call: r.GetExchange().GetCall(), Reply: reply}
	for _, t := range played {
		out.Traffic = append(out.Traffic, t.toWire())
	}
	return &providerv1.RehearseResponse{Exchange: out, Dials: s.stage.dials.Load()}, nil
}

// play makes the call. A refusal by a gRPC status leaves the reply empty.
func (s *exchangeService) play(ctx context.Context, call *providerv1.ExchangeCall) *providerv1.ExchangeReply {
	var response any
	var err error
	switch r := call.GetRequest().(type) {
	case *providerv1.ExchangeCall_Pay:
		response, err = s.service.Pay(ctx, r.Pay)
	case *providerv1.ExchangeCall_Confirm:
		response, err = s.service.Confirm(ctx, r.Confirm)
	case *providerv1.ExchangeCall_Capture:
		response, err = s.service.Capture(ctx, r.Capture)
	case *providerv1.ExchangeCall_Void:
		response, err = s.service.Void(ctx, r.Void)
	case *providerv1.ExchangeCall_Refund:
		response, err = s.service.Refund(ctx, r.Refund)
	case *providerv1.ExchangeCall_Search:
		response, err = s.service.Search(ctx, r.Search)
	case *providerv1.ExchangeCall_CheckMandate:
		response, err = s.service.CheckMandate(ctx, r.CheckMandate)
	case *providerv1.ExchangeCall_ExpireMandate:
		response, err = s.service.ExpireMandate(ctx, r.ExpireMandate)
	}
	if err != nil {
		return &providerv1.ExchangeReply{}
	}
	return exchangeReply(response)
}
