package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// linear evaluates the conditions in their order.
type linear struct {
	programs []*vm.Program
	machine  vm.VM
}

func newLinear(n int) (*linear, error) {
	l := &linear{}
	for i := range n {
		program, err := expr.Compile(condition(i), expr.Env(environment(request(0))), expr.AsBool())
		if err != nil {
			return nil, err
		}
		l.programs = append(l.programs, program)
	}
	return l, nil
}

func (l *linear) first(environment map[string]any) string {
	for i, program := range l.programs {
		if holds, err := l.machine.Run(program, environment); err == nil && holds == true {
			return routeName(i)
		}
	}
	return ""
}

// agent is Open Policy Agent with a prepared query: its compiler has built its index of the rules.
type agent struct{ query rego.PreparedEvalQuery }

type input = ast.Value

func newAgent(ctx context.Context, n int) (*agent, error) {
	query, err := rego.New(rego.Query("data.routing.first"), rego.Module("routing.rego", agentRules(n))).PrepareForEval(ctx)
	return &agent{query}, err
}

// parsed converts a payment to what the agent reads fastest.
func parsed(environment map[string]any) (input, error) {
	content, err := json.Marshal(environment)
	if err != nil {
		return nil, err
	}
	return ast.ValueFromReader(bytes.NewReader(content))
}

func (a *agent) first(ctx context.Context, in input) (string, error) {
	results, err := a.query.Eval(ctx, rego.EvalParsedInput(in))
	if err != nil {
		return "", err
	}
	number, err := results[0].Expressions[0].Value.(json.Number).Int64()
	if err != nil {
		return "", fmt.Errorf("the agent answers %v", results[0].Expressions[0].Value)
	}
	if number < 0 {
		return "", nil
	}
	return routeName(int(number)), nil
}
