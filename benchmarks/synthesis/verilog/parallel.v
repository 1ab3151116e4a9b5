// N comparators at once; with SIGNED a second bank of N for the negative side. One update each cycle.
//
// The register holds the membrane v = state + x, so that the comparators see one change a cycle. The thresholds come
// from registers outside this unit: ascending, positive; `lower` holds their negative counterparts, descending.
module parallel #(parameter N = 8, parameter W = 16, parameter SIGNED = 0, parameter B = $clog2(N + 1)) (
    input            clk,
    input  [W-1:0]   state,      // membrane of this neuron, from state memory
    input  [W-1:0]   x,          // what is added: bias
    input  [N*W-1:0] thresholds,
    input  [N*W-1:0] lower,
    output [B-1:0]   level,      // how many thresholds are reached, 0 .. N
    output           negative,
    output [W-1:0]   residual    // v less the threshold that is reached (soft reset)
);
    reg signed [W-1:0] v;
    always @(posedge clk) v <= state + x;

    // Thermometer codes: all thresholds below v are reached.
    wire [N:0] up, down;
    assign up[N] = 1'b0;
    assign down[N] = 1'b0;
    genvar k;
    generate
        for (k = 0; k < N; k = k + 1) begin : compare
            wire signed [W-1:0] above = thresholds[k*W +: W];
            wire signed [W-1:0] below = lower[k*W +: W];
            assign up[k] = v >= above;
            assign down[k] = SIGNED ? v <= below : 1'b0;
        end
    endgenerate

    // The edge of the code is one-hot: it selects the level, and the threshold to take off.
    integer i;
    reg [B-1:0] index;
    reg [W-1:0] reached;
    always @* begin
        index = 0;
        reached = 0;
        for (i = 0; i < N; i = i + 1) begin
            index = index | ({B{(up[i] & ~up[i+1]) | (down[i] & ~down[i+1])}} & (i + 1));
            reached = reached | ({W{up[i] & ~up[i+1]}} & thresholds[i*W +: W])
                              | ({W{down[i] & ~down[i+1]}} & lower[i*W +: W]);
        end
    end
    assign level = index;
    assign negative = down[0];
    assign residual = v - reached;
endmodule
