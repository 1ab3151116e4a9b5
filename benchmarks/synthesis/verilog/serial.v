// One comparator that walks through the thresholds in N cycles; with SIGNED through both banks, in 2 N cycles.
//
// The comparator is the subtractor: v - threshold is the residual if it is not negative. The first comparison is made
// in the cycle that adds, so an update takes as many cycles as there are thresholds.
module serial #(
    parameter N = 8, parameter W = 16, parameter SIGNED = 0, parameter B = $clog2(N + 1),
    parameter STEPS = SIGNED ? 2 * N : N, parameter S = (STEPS > 1) ? $clog2(STEPS) : 1
) (
    input                clk,
    input                start,
    input  [W-1:0]       state,
    input  [W-1:0]       x,
    input  [N*W-1:0]     thresholds,
    input  [N*W-1:0]     lower,
    output reg [B-1:0]   level,
    output reg           negative,
    output reg [W-1:0]   residual,
    output reg           done
);
    reg [S-1:0] step;            // 0: waiting, or the first comparison
    reg [W-1:0] v;
    wire first = (step == 0);
    wire run = start | ~first;
    wire last = (step == STEPS - 1);
    wire [W-1:0] now = first ? state + x : v;

    wire [STEPS*W-1:0] table_ = {lower, thresholds};
    wire [W-1:0] threshold;
    select #(.N(STEPS), .W(W), .B(S)) chosen (.words(table_), .index(step), .word(threshold));

    // One bit more, so that the sign of the difference is right whatever the operands are.
    wire [W:0] difference = {now[W-1], now} - {threshold[W-1], threshold};
    wire below = SIGNED ? (step >= N) : 1'b0;
    wire reached = below ? difference[W] | ~(|difference) : ~difference[W];

    initial step = 0;
    always @(posedge clk) begin
        done <= run & last;
        if (run) begin
            step <= last ? 0 : step + 1;
            v <= now;
            if (reached | first) begin
                level <= (first ? {B{1'b0}} : level) + reached;
                negative <= below & reached;
                residual <= reached ? difference[W-1:0] : now;
            end
        end
    end
endmodule
