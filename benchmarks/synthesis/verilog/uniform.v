// Thresholds k * threshold, k = 1 .. N: a restoring divider. A cycle to add, then one for each bit of the level.
module uniform #(parameter N = 8, parameter W = 16, parameter SIGNED = 0, parameter B = $clog2(N + 1)) (
    input                clk,
    input                start,
    input  [W-1:0]       state,
    input  [W-1:0]       x,
    input  [W-1:0]       threshold,
    output reg [B-1:0]   level,
    output reg           negative,
    output [W-1:0]       residual,
    output reg           done
);
    reg [B-1:0] bit_;            // one-hot: the bit of the quotient that is being tried; 0 while waiting
    reg [W-1:0] rest;
    wire [W-1:0] sum = state + x;
    wire minus = SIGNED ? sum[W-1] : 1'b0;
    wire [W-1:0] magnitude = minus ? -sum : sum;

    // threshold << position of the bit, by an AND-OR over the B places: wiring and one gate pair a bit.
    integer i;
    reg [W+B-2:0] trial;
    always @* begin
        trial = 0;
        for (i = 0; i < B; i = i + 1) trial = trial | ({(W+B-1){bit_[i]}} & (threshold << i));
    end

    wire [B-1:0] candidate = level | bit_;
    wire [W+B-1:0] difference = {{B{SIGNED ? 1'b0 : rest[W-1]}}, rest} - {1'b0, trial};
    wire reached = ~difference[W+B-1] & (candidate <= N);

    initial bit_ = 0;
    always @(posedge clk) begin
        done <= bit_[0];
        if (start) begin
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
