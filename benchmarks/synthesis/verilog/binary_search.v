// One comparator that halves the table: a cycle to add, then one for each bit of the level.
//
// With SIGNED it searches for the magnitude of v and gives the residual its sign back.
module binary_search #(parameter N = 8, parameter W = 16, parameter SIGNED = 0, parameter B = $clog2(N + 1)) (
    input                clk,
    input                start,
    input  [W-1:0]       state,
    input  [W-1:0]       x,
    input  [N*W-1:0]     thresholds,
    output reg [B-1:0]   level,
    output reg           negative,
    output [W-1:0]       residual,
    output reg           done
);
    reg [B-1:0] bit_;            // one-hot: the bit of the level that is being tried; 0 while waiting
    reg [W-1:0] v, rest;
    wire [W-1:0] sum = state + x;
    wire minus = SIGNED ? sum[W-1] : 1'b0;
    wire [W-1:0] magnitude = minus ? -sum : sum;

    // Level k stands for threshold k - 1 of the table; there is none for 0, which is never tried.
    wire [B-1:0] candidate = level | bit_;
    wire [(N+1)*W-1:0] table_ = {thresholds, thresholds[W-1:0]};
    wire [W-1:0] threshold;
    select #(.N(N + 1), .W(W), .B(B)) chosen (.words(table_), .index(candidate), .word(threshold));

    // The membrane is not negative where SIGNED, and may be where not: then nothing is reached.
    wire [W:0] difference = {SIGNED ? 1'b0 : v[W-1], v} - {1'b0, threshold};
    wire reached = ~difference[W] & (candidate <= N);

    initial bit_ = 0;
    always @(posedge clk) begin
        done <= bit_[0];
        if (start) begin
            v <= magnitude;
            rest <= magnitude;
            level <= 0;
            negative <= minus;
            bit_ <= 1 << (B - 1);
        end else if (|bit_) begin
            bit_ <= bit_ >> 1;
            if (reached) begin
                level <= candidate;
                rest <= difference[W-1:0];
            end
        end
    end
    assign residual = SIGNED ? (negative ? -rest : rest) : rest;
endmodule
